"use strict";
// What makes a page pleasanter; without it every form and menu still works.

{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // On a phone a filter form shows its range and a button for the rest.
  function folding(form) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-quiet unfold";
    const fold = (folded) => {
      form.toggleAttribute("data-folded", folded);
      button.setAttribute("aria-expanded", String(!folded));
      button.textContent = folded ? "All filters" : "Fewer filters";
    };
    button.addEventListener("click", () => fold(!form.hasAttribute("data-folded")));
    form.querySelector(".filters-row").append(button);
    return fold;
  }

  // A filter form submits itself, and leaves empty fields out of the address.
  for (const form of all("form[data-autosubmit]")) {
    const preset = form.querySelector("select[name=preset]");
    const dates = all("[data-custom-dates]", form);
    const isCustom = () => !preset || preset.value === "" || preset.value === "custom";
    const showDates = () => {
      for (const box of dates) {
        box.hidden = !isCustom();
        for (const input of all("input", box)) input.disabled = box.hidden;
      }
    };
    const wrong = dates.some((box) => box.querySelector(".is-invalid"));
    if (preset && !wrong) showDates();
    const fold = preset && folding(form);
    fold?.(!form.querySelector(".field-error") && !(dates.length && isCustom()));

    // Where a key changes a closed list at once, it is stepped through: the last step applies on Enter or
    // on leaving. Where keys open the list, its change comes later.
    const ATONCE = 100; // ms
    let pressed = -ATONCE;
    let stepped = false;
    const apply = () => {
      stepped = false;
      form.requestSubmit();
    };
    form.addEventListener("keydown", (event) => {
      if (!event.target.matches("select")) return;
      if (event.key !== "Enter" && event.key !== " ") pressed = event.timeStamp;
      if (event.key !== "Enter" || !stepped) return;
      event.preventDefault();
      apply();
    });
    form.addEventListener("focusout", () => stepped && form.checkValidity() && apply());
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      form.reset();
      stepped = false;
      if (preset) showDates();
    });

    form.addEventListener("change", (event) => {
      if (!event.target.matches("select")) return;
      const byKeys = event.timeStamp - pressed < ATONCE;
      stepped = byKeys;
      if (event.target === preset && dates.length) {
        showDates();
        if (isCustom()) {
          fold?.(false);
          if (!byKeys) dates[0].querySelector("input").focus();
          stepped = false;
          return;
        }
      }
      if (!stepped) apply();
    });
    form.addEventListener("formdata", ({ formData }) => {
      for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
    });
  }

  // Only one dropdown is open; Escape and a click elsewhere close it. Checkboxes changed inside a
  // filter are applied when it closes.
  const drops = all("details[data-dropdown]");
  const state = (drop) => all("input[type=checkbox]", drop).map((box) => box.checked).join();
  for (const drop of drops) {
    let before = state(drop);
    drop.addEventListener("toggle", () => {
      if (drop.open) {
        before = state(drop);
        for (const other of drops) if (other !== drop) other.open = false;
      } else if (state(drop) !== before) {
        before = state(drop);
        drop.closest("form[data-autosubmit]")?.requestSubmit();
      }
    });
  }
  document.addEventListener("click", (event) => {
    for (const drop of drops) if (drop.open && !drop.contains(event.target)) drop.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const drop of drops) {
      if (!drop.open) continue;
      drop.open = false;
      drop.querySelector("summary").focus();
    }
  });

  // A long list of checkboxes gets a field that narrows it.
  for (const list of all("[data-checks]")) {
    const rows = all(".check", list);
    if (rows.length < 13) continue;
    const find = document.createElement("input");
    find.type = "search";
    find.className = "form-control checks-find";
    find.placeholder = "Find…";
    find.setAttribute("aria-label", `Find in ${list.getAttribute("aria-label")}`);
    find.addEventListener("input", (event) => {
      event.stopPropagation();
      const wanted = find.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    list.before(find);
  }

  // data-busy="Reading …": a form that takes its time says so, and is sent once.
  for (const form of all("form[data-busy]")) {
    form.addEventListener("submit", () => {
      const said = document.createElement("p");
      said.className = "busy";
      said.setAttribute("role", "status");
      said.append(form.dataset.busy, document.createElement("progress"));
      said.querySelector("progress").setAttribute("aria-label", form.dataset.busy);
      form.append(said);
      setTimeout(() => all("button", form).forEach((button) => (button.disabled = true)));
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    all("form[data-busy] .busy").forEach((said) => said.remove());
    all("form[data-busy] button").forEach((button) => (button.disabled = false));
  });

  // data-confirm="Team A": the button waits until the field [data-confirm-field] says so.
  for (const form of all("form[data-confirm]")) {
    const field = form.querySelector("[data-confirm-field]");
    const button = form.querySelector("[type=submit]");
    if (!field || !button) continue;
    const check = () => (button.disabled = field.value.trim() !== form.dataset.confirm);
    field.addEventListener("input", check);
    check();
  }

  // Paper shows what is folded away.
  const opened = new Set();
  window.addEventListener("beforeprint", () => {
    for (const fold of all("details[data-print-open]:not([open])")) {
      opened.add(fold);
      fold.open = true;
    }
  });
  window.addEventListener("afterprint", () => {
    for (const fold of opened) fold.open = false;
    opened.clear();
  });
}
