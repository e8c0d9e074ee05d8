"use strict";
// Select2 names its box after what is chosen; before anything is, it has no name. The field's label is one.

function nameBoxes() {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = select.labels[0];
    if (!label) continue;
    label.id ||= `${select.id}_label`;
    for (const box of select.parentElement.querySelectorAll("[role=combobox], [role=textbox]")) {
      box.setAttribute("aria-labelledby", [label.id, box.id].filter(Boolean).join(" "));
    }
  }
}

// By jQuery's own queue: there Select2 comes first, whatever else is loaded when.
window.django?.jQuery?.(nameBoxes);
