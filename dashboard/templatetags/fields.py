"""How form fields look in templates."""

from html import escape

from django import forms, template
from django.forms.utils import flatatt
from django.utils.safestring import mark_safe

register = template.Library()

SELECTED = {True: " selected", False: ""}
CHECKED = {True: " checked", False: ""}


@register.filter
def kind(field) -> str:
    """What a bound field looks like: hidden, many, select, date, check, file, password or text."""
    widget = field.field.widget
    if widget.is_hidden:
        return "hidden"
    if getattr(widget, "allow_multiple_selected", False):
        return "many"
    shape = getattr(widget, "input_type", None) or "text"
    return "check" if shape == "checkbox" else shape


@register.filter
def control(field):
    """The field's widget in Bootstrap's clothes."""
    shape = kind(field)
    look = {"select": "form-select", "check": "form-check-input"}.get(shape, "form-control")
    given = field.field.widget.attrs.get("class", "")
    state = "is-invalid" if field.errors else ""
    attrs = {"class": " ".join(filter(None, [given, look, state]))}
    if shape == "select":
        return select_box(field, attrs)
    if isinstance(field.field.widget, forms.TextInput):
        return input_box(field, attrs)
    return field.as_widget(attrs=attrs)


def input_box(field, attrs):
    """What Django renders three templates for, in a tenth of the time."""
    widget = field.field.widget
    attrs = {**field.build_widget_attrs(attrs, widget), "id": field.auto_id}
    told = widget.get_context(field.html_name, field.value(), attrs)["widget"]
    given = {"type": told["type"], "name": told["name"]}
    given |= {} if told["value"] is None else {"value": told["value"]}
    return mark_safe(f"<input{attributes(given | told['attrs'])}>")


def attributes(given):
    return "".join(
        f" {name}" if value is True else f' {name}="{escape(str(value))}"'
        for name, value in given.items()
        if value is not False
    )


def select_box(field, attrs):
    """Knows no groups of options. Django renders a template for each, which takes ten times as long."""
    widget = field.field.widget
    picked = widget.format_value(field.value())
    attrs = {"name": field.html_name, "id": field.auto_id, **field.build_widget_attrs(attrs, widget)}
    choices = [
        f'<option value="{escape(str(value))}"{SELECTED[str(value) in picked]}>{escape(str(label))}</option>'
        for value, label in widget.choices
    ]
    return mark_safe(f"<select{flatatt(widget.attrs | attrs)}>{''.join(choices)}</select>")


@register.filter
def many(field) -> dict:
    """What the template of a field of boxes says: plain values, which a template finds at once."""
    choices = options(field)
    picked = chosen(choices)
    return {
        "name": field.name,
        "label": field.label,
        "id": field.auto_id,
        "errors": field.errors,
        "picked": joined(picked, "label"),
        "number": len(picked),
        "checks": checks(choices, field.html_name),
    }


@register.filter
def options(field) -> list[dict]:
    """The choices of a field that takes many; the chosen ones come first where the list is long."""
    chosen = {str(value) for value in field.value() or []}
    found = [
        {"value": str(value), "label": str(label), "checked": str(value) in chosen}
        for value, label in field.field.widget.choices
        if value != ""
    ]
    if len(found) > 12:
        found.sort(key=lambda option: not option["checked"])
    return [option | {"id": f"{field.auto_id}_{place}"} for place, option in enumerate(found)]


@register.filter
def checks(options: list[dict], name: str) -> str:
    """Boxes to tick; a template's loop over them takes ten times as long."""
    return mark_safe("\n".join([box(option, escape(name)) for option in options]))


def box(option: dict, name: str) -> str:
    place, value, label = escape(option["id"]), escape(option["value"]), escape(option["label"])
    return (
        f'<label class="check" for="{place}"><input class="form-check-input" type="checkbox" id="{place}"'
        f' name="{name}" value="{value}"{CHECKED[option["checked"]]}><span>{label}</span></label>'
    )


@register.filter
def chosen(options: list[dict]) -> list[dict]:
    return [option for option in options if option["checked"]]


@register.filter
def joined(items: list[dict], key: str) -> str:
    return ", ".join(item[key] for item in items)
