"use strict";
// Draws every <canvas data-chart="ID"> from the JSON in <script id="ID-data">, which charts.py writes.
// A null value is a gap, a percent is a share of one, a colour is a place in the theme's series, "other" or "muted".

{
  const dollars = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const tenths = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const prices = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
  const whole = new Intl.NumberFormat("en-US");
  const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const brief = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
  const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 4 });

  const signed = (number, text) => (number < 0 ? `\u2212${text}` : text);
  const tick = (number, most = number) => (most < 10000 ? plain : short).format(Math.abs(number));
  const UNITS = {
    usd: { title: "US dollars", full: (n) => `$${dollars.format(Math.abs(n))}`, tick: (n, most) => `$${tick(n, most)}` },
    hours: { title: "GPU-hours", full: (n) => `${tenths.format(Math.abs(n))} h`, tick },
    percent: { title: "Per cent", full: (n) => `${tenths.format(Math.abs(n))} %`, tick: (n, most) => `${tick(n, most)} %` },
    usd_per_hour: { title: "US dollars per GPU-hour", full: (n) => `$${prices.format(Math.abs(n))}/h`, tick: (n, most) => `$${tick(n, most)}` },
    count: { title: "Count", full: (n) => whole.format(Math.abs(n)), tick },
  };
  const worded = (unit, number) => signed(number, UNITS[unit].full(number));
  const more = (number) => (number > 0 ? "+" : "");

  // 2026-11-03 is "3 Nov" on the axis and "Tue 3 Nov 2026" in the tooltip; 2026-11 is a month; other labels stay.
  const utc = (format) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...format });
  const dayShort = utc({ day: "numeric", month: "short" });
  const dayLong = utc({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const month = utc({ month: "short", year: "numeric" });
  const label = (text, day) => {
    if (/^\d{4}-\d\d-\d\d$/.test(text)) return day.format(new Date(`${text}T00:00Z`));
    if (/^\d{4}-\d\d$/.test(text)) return month.format(new Date(`${text}-01T00:00Z`));
    return text;
  };

  // A probe turns var(--…) with light-dark() into the colour that holds now.
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(--hx-${name})`;
    return getComputedStyle(probe).color;
  };
  const seriesColour = (series) =>
    colour(`series-${typeof series.colour === "number" ? series.colour % 8 : (series.colour ?? "other")}`);
  const faded = (rgb, alpha) => rgb.replace(/^rgb\((.*)\)$/, (_, parts) => `rgba(${parts}, ${alpha})`);

  function hatched(rgb) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.fillStyle = faded(rgb, 0.25);
    pen.fillRect(0, 0, 6, 6);
    pen.strokeStyle = rgb;
    pen.lineWidth = 1.25;
    pen.beginPath();
    for (const x of [-6, 0, 6]) {
      pen.moveTo(x, 6);
      pen.lineTo(x + 6, 0);
    }
    pen.stroke();
    return pen.createPattern(tile, "repeat");
  }

  const lonely = (values, i) => values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;

  // An area reaches down to the one before it in its stack, the first to zero.
  function floor(series, place, data) {
    const below = data.series.findLastIndex((other, i) => i < place && series.stack && other.stack === series.stack);
    return below < 0 ? "origin" : below;
  }

  // A step of a waterfall floats between the level before and its own; a total stands on zero.
  const ROLES = { total: { words: "Total", colour: 0 }, up: { words: "Adds", colour: 1 }, down: { words: "Takes off", colour: 2 } };
  const roleOf = (step) => (step === null ? "total" : step < 0 ? "down" : "up");

  function waterfall(series, common) {
    const bars = common.data.map((level, i) => [series.steps[i] === null ? 0 : level - series.steps[i], level]);
    const colours = series.steps.map((step) => colour(`series-${ROLES[roleOf(step)].colour}`));
    return {
      ...common,
      type: "bar",
      data: bars,
      steps: series.steps,
      backgroundColor: colours,
      hoverBackgroundColor: colours.map((rgb) => faded(rgb, 0.8)),
      borderSkipped: false,
      minBarLength: 2,
      maxBarThickness: 84,
      categoryPercentage: 0.86,
      barPercentage: 0.92,
    };
  }

  function dataset(series, place, data) {
    const rgb = seriesColour(series);
    const times = data.axes[series.axis ?? "left"] === "percent" ? 100 : 1;
    const values = series.values.map((value) => (value === null ? null : Number(value) * times));
    const isOpen = (i) => Boolean(data.open?.[i]);
    const common = {
      label: series.name,
      data: values,
      [data.sideways ? "xAxisID" : "yAxisID"]: series.axis ?? "left",
      stack: series.stack ?? `alone-${place}`,
      unit: data.axes[series.axis ?? "left"],
      links: series.links ?? [],
    };
    if (series.kind === "waterfall") return waterfall(series, common);
    if (series.kind === "bar") {
      const open = hatched(rgb);
      return {
        ...common,
        type: "bar",
        order: 2,
        backgroundColor: values.map((_, i) => (isOpen(i) ? open : rgb)),
        hoverBackgroundColor: values.map((_, i) => (isOpen(i) ? open : faded(rgb, 0.8))),
        maxBarThickness: 48,
        categoryPercentage: 0.86,
        barPercentage: 0.96,
      };
    }
    // A band reaches from its upper edge down to the lower one, which is the series before it.
    const isEdge = ["edge", "band"].includes(series.kind);
    return {
      ...common,
      type: "line",
      order: 1,
      spanGaps: false,
      borderColor: rgb,
      backgroundColor:
        series.kind === "area" ? faded(rgb, series.stack ? 0.75 : 0.2) : series.kind === "band" ? faded(rgb, 0.18) : rgb,
      fill: series.kind === "area" ? floor(series, place, data) : series.kind === "band" ? "-1" : false,
      borderWidth: isEdge ? 1.5 : 2,
      borderDash: isEdge ? [3, 3] : undefined,
      segment: isEdge ? {} : { borderDash: (at) => (isOpen(at.p1DataIndex) ? [4, 4] : undefined) },
      pointRadius: (at) => (!isEdge && (lonely(values, at.dataIndex) || values.length <= 31) ? 2.5 : 0),
      pointHoverRadius: 4,
      pointHitRadius: 8,
      pointBackgroundColor: rgb,
      pointBorderWidth: 0,
    };
  }

  // Round steps from zero, also where the axis ends between two of them.
  function roundTicks(scale, most) {
    const least = (scale.max - scale.min) / most;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= least * 0.999);
    const first = Math.ceil(scale.min / step);
    const count = Math.floor(scale.max / step) - first + 1;
    return Array.from({ length: count }, (_, i) => ({ value: Number(((first + i) * step).toPrecision(12)) }));
  }

  // Where the steps of a waterfall are small beside its totals, the axis begins above zero; its legend says so.
  function shortened(data) {
    const levels = data.series.flatMap((series) => (series.steps?.length ? series.values : []));
    const [least, most] = [Math.min(...levels), Math.max(...levels)];
    if (!levels.length || least <= 0 || most - least > most * 0.3) return 0;
    const room = Math.max(most - least, most * 0.02);
    const unit = 10 ** Math.floor(Math.log10(room));
    return Math.max(0, Math.floor((least - room * 0.6) / unit) * unit);
  }

  function axis(side, unit, data, narrow) {
    const here = data.series.filter((series) => (series.axis ?? "left") === side);
    const shares = unit === "percent" && here.every((series) => series.values.every((v) => v === null || (v >= 0 && v <= 1)));
    return {
      position: data.sideways ? "bottom" : side,
      stacked: here.some((series) => series.stack),
      beginAtZero: !shortened(data),
      min: shortened(data) || undefined,
      bounds: "data",
      suggestedMax: shares ? 100 : undefined,
      grace: shares ? 0 : "4%",
      afterBuildTicks: (scale) => (scale.ticks = roundTicks(scale, narrow ? 4 : 6)),
      border: { display: false },
      grid: {
        drawOnChartArea: side === "left",
        drawTicks: false,
        color: (at) => colour(at.tick?.value === 0 ? "line-strong" : "line"),
      },
      title: { display: true, text: UNITS[unit].title, color: colour("ink-soft"), font: { size: narrow ? 11 : 12 } },
      ticks: {
        color: colour("ink-soft"),
        padding: 6,
        font: { size: narrow ? 11 : 12 },
        callback(number) {
          return signed(number, UNITS[unit].tick(number, Math.max(this.max, -this.min)));
        },
      },
    };
  }

  function tooltip(data) {
    const marks = (i) => (data.marks ?? []).filter((mark) => mark.label === data.labels[i]).map((mark) => mark.text);
    const total = (items) => {
      const stacked = items.filter((item) => data.series[item.datasetIndex].stack);
      if (stacked.length < 2) return [];
      const unit = stacked[0].dataset.unit;
      if (stacked.some((item) => item.dataset.unit !== unit)) return [];
      return [`Total: ${worded(unit, stacked.reduce((sum, item) => sum + item.raw, 0))}`];
    };
    return {
      backgroundColor: colour("raised"),
      borderColor: colour("line-strong"),
      borderWidth: 1,
      titleColor: colour("ink"),
      bodyColor: colour("ink"),
      footerColor: colour("ink-soft"),
      padding: 10,
      cornerRadius: 6,
      boxPadding: 4,
      usePointStyle: true,
      filter: (item) => item.raw !== null,
      callbacks: {
        title: (items) => (items.length ? label(items[0].label, dayLong) : ""),
        label: (item) => {
          const { label: name, unit, steps } = item.dataset;
          if (!steps) return `${name}: ${worded(unit, item.raw)}`;
          const step = steps[item.dataIndex];
          const level = `${name}: ${worded(unit, item.raw[1])}`;
          return step === null ? level : [`${more(step)}${worded(unit, step)}`, level];
        },
        labelColor: (item) => {
          const { steps, backgroundColor } = item.dataset;
          const rgb = steps ? backgroundColor[item.dataIndex] : seriesColour(data.series[item.datasetIndex]);
          return { borderColor: rgb, backgroundColor: rgb };
        },
        labelPointStyle: () => ({ pointStyle: "rectRounded", rotation: 0 }),
        footer: (items) => {
          if (!items.length) return [];
          const i = items[0].dataIndex;
          return [...total(items), ...(data.open?.[i] ? ["open day, not complete"] : []), ...marks(i)];
        },
      },
    };
  }

  // A dashed line at each label that has marks, with their numbers in the list under the chart: 2, or 2\u20134.
  function marksAt(data) {
    const found = new Map();
    (data?.marks ?? []).forEach((mark, place) => {
      const i = data.labels.indexOf(mark.label);
      if (i < 0) return;
      const numbers = found.get(i) ?? [];
      found.set(i, place < data.listed ? [...numbers, place + 1] : numbers);
    });
    return found;
  }

  const marksPlugin = {
    id: "marks",
    afterDatasetsDraw(chart, _, { data }) {
      const { ctx: pen, chartArea: area, scales } = chart;
      for (const [i, numbers] of marksAt(data)) {
        const x = scales.x.getPixelForValue(i);
        pen.save();
        pen.strokeStyle = colour("ink-soft");
        pen.setLineDash([3, 3]);
        pen.beginPath();
        pen.moveTo(x, area.top);
        pen.lineTo(x, area.bottom);
        pen.stroke();
        if (numbers.length) {
          const text = [...new Set([numbers[0], numbers.at(-1)])].join("\u2013");
          pen.font = `600 11px ${Chart.defaults.font.family}`;
          const width = Math.max(16, pen.measureText(text).width + 8);
          const left = Math.max(0, Math.min(x - width / 2, chart.width - width));
          pen.fillStyle = colour("ink");
          pen.fillRect(left, area.top - 16, width, 15);
          pen.fillStyle = colour("surface");
          pen.textAlign = "center";
          pen.textBaseline = "middle";
          pen.fillText(text, left + width / 2, area.top - 8);
        }
        pen.restore();
      }
    },
  };

  // Above each bar of a waterfall its signed amount, and a line from its level to the next bar.
  const stepsPlugin = {
    id: "steps",
    afterDatasetsDraw(chart) {
      chart.data.datasets.forEach((set, place) => {
        if (!set.steps) return;
        const { ctx: pen, scales } = chart;
        const bars = chart.getDatasetMeta(place).data;
        pen.save();
        const narrow = chart.width < 480;
        pen.font = `600 ${narrow ? 10 : 12}px ${Chart.defaults.font.family}`;
        pen.textAlign = "center";
        pen.strokeStyle = colour("line-strong");
        bars.forEach((bar, i) => {
          const [from, to] = set.data[i];
          const [top, level] = [Math.max(from, to), to].map((amount) => scales[set.yAxisID].getPixelForValue(amount));
          const step = set.steps[i];
          const shown = step ?? to;
          const amount = (set.unit === "usd" ? "$" : "") + brief.format(Math.abs(shown));
          pen.fillStyle = colour("ink");
          // On a phone neighbours would touch: every other one stands higher.
          pen.fillText((step === null ? "" : more(step)) + signed(shown, amount), bar.x, top - (narrow && i % 2 ? 16 : 5));
          if (step === null && scales[set.yAxisID].min > 0) torn(pen, bar, chart.chartArea.bottom);
          if (!bars[i + 1]) return;
          pen.beginPath();
          pen.moveTo(bar.x + (step === 0 ? -bar.width : bar.width) / 2, level);
          pen.lineTo(bars[i + 1].x - bars[i + 1].width / 2, level);
          pen.stroke();
        });
        pen.restore();
      });
    },
  };

  // Two slanted cuts: the bar goes on below the axis.
  function torn(pen, bar, bottom) {
    pen.save();
    pen.strokeStyle = colour("surface");
    pen.lineWidth = 3;
    for (const up of [10, 17]) {
      pen.beginPath();
      pen.moveTo(bar.x - bar.width / 2 - 2, bottom - up + 4);
      pen.lineTo(bar.x + bar.width / 2 + 2, bottom - up - 4);
      pen.stroke();
    }
    pen.restore();
  }

  function options(data, width) {
    const narrow = width < 480;
    const falls = data.series.some((series) => series.steps?.length);
    const scales = {
      [data.sideways ? "y" : "x"]: {
        stacked: data.series.some((series) => series.stack),
        grid: { display: false },
        border: { color: colour("line-strong") },
        ticks: {
          color: colour("ink-soft"),
          maxRotation: falls ? 60 : 0,
          autoSkip: !falls && !data.sideways,
          autoSkipPadding: narrow ? 14 : 22,
          font: { size: narrow ? 11 : 12 },
          callback: (i) => label(data.labels[i], dayShort),
        },
      },
    };
    for (const side of ["left", "right"])
      if (data.axes[side]) scales[side] = axis(side, data.axes[side], data, narrow);
    return {
      animation: false,
      indexAxis: data.sideways ? "y" : "x",
      maintainAspectRatio: false,
      layout: { padding: { top: falls ? 28 : data.marks?.length ? 18 : 4 } },
      interaction: { mode: "index", intersect: false, axis: data.sideways ? "y" : "x" },
      scales,
      plugins: { legend: { display: false }, tooltip: tooltip(data), marks: { data } },
      onHover: (event, _, chart) => chart.canvas.classList.toggle("leads", Boolean(linkAt(chart, event))),
      onClick: (event, _, chart) => {
        const link = linkAt(chart, event);
        if (link) window.location.assign(link);
      },
    };
  }

  function linkAt(chart, event) {
    const [hit] = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, false);
    return hit && chart.data.datasets[hit.datasetIndex].links[hit.index];
  }

  function legend(chart, data) {
    const box = document.querySelector(`[data-legend="${chart.canvas.id}"]`);
    if (!box) return;
    const swatch = (...names) => {
      const mark = document.createElement("span");
      mark.className = ["swatch", ...names.map((name) => `swatch-${name}`)].join(" ");
      return mark;
    };
    data.series.forEach((series, i) => {
      if (series.steps?.length) {
        for (const role of new Set(series.steps.filter((step) => step !== 0).map(roleOf))) {
          const item = document.createElement("span");
          item.className = "legend-item";
          item.append(swatch(ROLES[role].colour), ROLES[role].words);
          box.append(item);
        }
        const begins = shortened(data);
        if (begins) {
          const note = document.createElement("span");
          note.className = "legend-item";
          note.append(`The axis begins at ${worded(data.axes.left, begins)}.`);
          box.append(note);
        }
        return;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.append(
        swatch(typeof series.colour === "number" ? series.colour % 8 : (series.colour ?? "other"), series.kind),
        series.name,
      );
      button.addEventListener("click", () => {
        const shown = !chart.isDatasetVisible(i);
        chart.setDatasetVisibility(i, shown);
        button.setAttribute("aria-pressed", String(shown));
        chart.update();
      });
      box.append(button);
    });
    if (data.open?.some(Boolean)) {
      const note = document.createElement("span");
      note.className = "open-note";
      note.append(swatch("open"), "open days, not complete");
      box.append(note);
    }
  }

  function draw(canvas) {
    const data = JSON.parse(document.getElementById(`${canvas.dataset.chart}-data`).textContent);
    const chart = new Chart(canvas, {
      data: { labels: data.labels, datasets: data.series.map((series, i) => dataset(series, i, data)) },
      options: options(data, canvas.parentElement.clientWidth),
      plugins: [marksPlugin, stepsPlugin],
    });
    legend(chart, data);
    return { chart, data };
  }

  function redraw({ chart, data }) {
    data.series.forEach((series, i) => Object.assign(chart.data.datasets[i], dataset(series, i, data)));
    chart.options = options(data, chart.width);
    chart.update("none");
  }

  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const drawn = [...document.querySelectorAll("canvas[data-chart]")].map(draw);
  const redrawAll = () => drawn.forEach(redraw);

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });

  // Paper is light and as wide as a page. Both events come, in either order.
  const PAPER = { width: 690, height: 245 };
  let screenTheme = null;
  function toPaper() {
    if (screenTheme !== null) return;
    screenTheme = document.documentElement.dataset.bsTheme;
    document.documentElement.dataset.bsTheme = "light";
    redrawAll();
    drawn.forEach(({ chart }) => chart.resize(PAPER.width, PAPER.height));
  }
  function toScreen() {
    if (screenTheme === null) return;
    document.documentElement.dataset.bsTheme = screenTheme;
    screenTheme = null;
    redrawAll();
    drawn.forEach(({ chart }) => chart.resize());
  }
  window.addEventListener("beforeprint", toPaper);
  window.addEventListener("afterprint", toScreen);
  window.matchMedia("print").addEventListener("change", (paper) => (paper.matches ? toPaper() : toScreen()));
}
