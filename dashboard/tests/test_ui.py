"""How figures, fields and the menu are worded."""

from decimal import Decimal

import pytest
from django import forms

from dashboard.counted import counted
from dashboard.templatetags import fields, ui

# Whether a reader is limited to teams, and of the staff.
ALL, STAFF, OF_A_TEAM = (False, False), (False, True), (True, False)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (ui.usd(Decimal("1234.565")), "$1,234.57"),
        (ui.usd(Decimal("-25")), "−$25.00"),
        (ui.usd(Decimal("-0.001")), "$0.00"),
        (ui.usd(None), "n/a"),
        (ui.hours(Decimal("1234.45")), "1,234.5 h"),
        (ui.hours(0), "0.0 h"),
        (ui.percent(Decimal("0.4565")), "45.7 %"),
        (ui.percent(None), "n/a"),
        (ui.rate(Decimal("2.45674")), "$2.4567/h"),
        (ui.rate(Decimal("3")), "$3.00/h"),
        (ui.rate(Decimal("2.00001")), "$2.00/h"),
        (ui.rate(None), "n/a"),
        (ui.count(12751), "12,751"),
        (ui.day_in_words("2026-11-03"), "3 Nov 2026"),
        (ui.day_in_words("Q4 2026"), "Q4 2026"),
    ],
)
def test_figures_in_words(shown, words):
    assert shown == words


def test_a_sign_stays_with_its_amount():
    assert ui.unbroken("29 Oct −$25.00 against $1.00") == "29 Oct −\u2060$25.00 against $1.00"


def test_a_float_is_no_figure():
    with pytest.raises(TypeError, match="float"):
        ui.usd(0.1)


class Filters(forms.Form):
    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    gpu_type = forms.MultipleChoiceField(choices=[(str(n), f"GPU {n}") for n in range(20)])
    sort = forms.CharField(widget=forms.HiddenInput)


def test_chosen_options_lead_a_long_list():
    form = Filters({"gpu_type": ["7", "3"]})
    assert [option["label"] for option in fields.options(form["gpu_type"])][:3] == ["GPU 3", "GPU 7", "GPU 0"]
    assert fields.joined(fields.chosen(fields.options(form["gpu_type"])), "label") == "GPU 3, GPU 7"


def test_a_wrong_field_is_marked_and_points_to_its_error():
    html = fields.control(Filters({"day": "2026-13-01"})["day"])
    assert 'class="form-control is-invalid"' in html
    assert 'aria-describedby="id_day_error"' in html


def test_markup_in_what_was_typed_stays_text():
    assert fields.control(Filters({"day": '"><b>'})["day"]) == (
        '<input type="date" name="day" value="&quot;&gt;&lt;b&gt;" class="form-control is-invalid" required'
        ' aria-invalid="true" aria-describedby="id_day_error" id="id_day">'
    )


def test_fields_are_told_apart():
    assert [fields.kind(field) for field in Filters()] == ["date", "many", "hidden"]


def test_headers_align_like_the_cells_below_them():
    table = {"headers": ["Day", "AWS"], "rows": [[{"text": "1 Nov"}, {"text": "$1.00", "numeric": True}]]}
    assert [header["numeric"] for header in ui.table_headers(table)] == [False, True]
    assert len(ui.table_headers(table | {"rows": []})) == 2


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("5.988394", "5.988394"),
        ("3", "3.00"),
        ("1200.5", "1,200.50"),
        ("0.0000008", "0.000001"),
        ("-25", "−25.00"),
    ],
)
def test_a_line_of_the_bill_shows_two_to_six_decimals(amount, shown):
    assert ui.exact(Decimal(amount)) == shown
    assert ui.exact(None) == "n/a"


@pytest.mark.parametrize("template", ["_nav_links.html", "_nav_links_flat.html"])
def test_the_menu_is_that_of_the_reader_whoever_read_before(template):
    menus = [ui.menu_html(template, "/jobs/", *reader) for reader in (ALL, STAFF, OF_A_TEAM) * 2]
    assert [">Admin<" in menu for menu in menus] == [False, True, False] * 2
    assert [">Costs<" in menu for menu in menus] == [True, True, False] * 2


def test_the_menu_marks_the_page_that_is_open():
    job, costs = ui.here("/jobs/1/"), ui.here("/costs/")
    assert (job, costs, ui.here("/accounts/login/")) == ("/jobs/", "/costs/", "")
    for here in (job, costs):
        menu = ui.menu_html("_nav_links.html", here, *ALL)
        assert menu.count("aria-current") == 1
        assert f'<a href="{here}" aria-current="page">' in menu


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1200, "1,200 entries")]
)
def test_one_thing_is_counted_as_one(number, words):
    assert counted(number, "entry", "entries") == words


def test_markup_below_a_chart_stays_text():
    row = [
        {"text": "<b>1 Nov</b>", "url": '/?q="><i>&a=1', "numeric": False, "notes": ["<i>"]},
        {"text": "$1 & more", "url": None, "numeric": True},
        {"text": "plain", "url": None, "numeric": False},
    ]
    assert ui.number_rows({"rows": [row]}) == (
        '<tr><th scope="row"><a href="/?q=&quot;&gt;&lt;i&gt;&amp;a=1">&lt;b&gt;1 Nov&lt;/b&gt;</a>'
        '<small class="long">&lt;i&gt;</small></th>'
        '<td class="num">$1 &amp; more</td><td>plain</td></tr>'
    )


def test_markup_in_a_name_that_can_be_ticked_stays_text():
    ticked = {"id": "id_model_0", "value": '"><b>', "label": "<i>a&b</i>", "checked": True}
    box = fields.checks([ticked], "model")
    assert 'value="&quot;&gt;&lt;b&gt;" checked>' in box
    assert "<span>&lt;i&gt;a&amp;b&lt;/i&gt;</span>" in box
