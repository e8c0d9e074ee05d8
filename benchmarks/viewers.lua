-- For wrk: counts every answer that is not the page, and says what it saw as JSON.

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   wrong = 0
end

function response(status, headers, body)
   if status ~= 200 then
      wrong = wrong + 1
   end
end

function done(summary, latency, requests)
   local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
   for _, thread in ipairs(threads) do
      errors = errors + thread:get("wrong")
   end
   io.write(string.format(
      '\n{"requests": %d, "errors": %d, "half": %f, "most": %f, "a_second": %f}\n',
      summary.requests, errors,
      latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
      summary.requests / (summary.duration / 1e6)
   ))
end
