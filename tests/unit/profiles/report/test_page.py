"""The page: its parts, what it refuses to run, what it does not load."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.reports import (
    attributes,
    borders,
    change,
    checks,
    decisions,
    journeys,
    lifecycle,
    report_data,
    rfm_grid,
    typical_people,
)

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.report.data import Profile
from segmentation.profiles.report.page import build_report

_APART = {"td", "th", "tr", "li", "p", "dt", "dd", "div", "h1", "h2", "h3", "h4", "title", "summary"}
_VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements in order; complains of what is not closed in its place."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> is in the wrong place"
        if tag in _APART:
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    def said(self) -> str:
        return " ".join("".join(self.text).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html() -> str:
    return build_report(report_data())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_it_has_all_its_parts(page: Page) -> None:
    sections = [attributes["id"] for attributes in page.named("section")]
    assert sections == [
        "segments", "compare", "movement", "choice", "activity", "identity", "quality", "provenance",
    ]  # fmt: skip
    linked = {attributes["href"] for attributes in page.named("a")}
    assert {f"#{section}" for section in sections} <= linked
    assert {link for link in linked if link} <= {f"#{a['id']}" for _, a in page.elements if a.get("id")}


def test_it_says_the_figures(page: Page) -> None:
    said = page.said()
    for text in (
        "2,469 people in 6 segments, found in what they did from 1 Jan 2017 to 31 Dec 2017",
        "simulated these baskets from real shopping",
        "412 people (17 % of all); they spend 3.1 × the average",
        "Shopping trips more than 98 and spend more than 2,410. 352 of the 390 people like this are in the segment.",
        "all together they put 87 % of people where the model does",
        "K-means with k = 6: silhouette 0.364",
        "0.88 0.68 0.83 chosen",
        "1,476,309 events in 156,031 sessions",
        "8,190 identifiers (2,469 household id, 3,901 cookie and 1,820 email) belong to 2,469 people",
        "would give a person 2 household_id (at most 1) 64",
        "of what belongs together was found 98.7 %",
        "of what was joined is right 99.9 %",
        "sign ins 7,104 6,988 14 102 it does not say who it was: 61",
        "High-value, frequent → Frequent, recent 31",
        "They behave differently now 31 65 %",
        "features 1",
        "9b1f9b1f",
    ):
        assert text in said, text


def test_the_grid_says_who_is_where_and_in_which_segment() -> None:
    page = Page(build_report(report_data(rfm=rfm_grid(), rfm_engagement=rfm_grid())))
    assert {"rfm", "rfm-engagement"} <= {attributes["id"] for attributes in page.named("section")}
    assert "rfm" in [attributes["id"] for attributes in page.named("section")]
    said = page.said()
    for text in (
        "2,482 people who have bought",
        "2,482 people who did anything, whether they ever bought or not",
        "Last seen · active 1 to 12 13 to 24",
        "Days since · purchases 1 to 12 13 to 24 25 to 36 37 to 48 49 to 60",
        "0 to 8 56 New 71 Potential loyalists 86 Potential loyalists 122 Champions 137 Champions",
        "71 At risk 0 Cannot lose them",
        "Champions 259 10 % 16 % High-value, frequent 98 % of them",
    ):
        assert text in said, text


def test_the_side_by_side_says_how_far_segments_tell_people_apart() -> None:
    said = Page(build_report(report_data())).said()
    assert re.search(r"Told apart .* (\d[\d.]* %|by chance)", said)


def test_each_segment_says_who_is_new_and_who_has_lapsed() -> None:
    page = Page(build_report(report_data(lifecycle=lifecycle())))
    assert "lifecycle" in [attributes["id"] for attributes in page.named("section")]
    said = page.said()
    for text in (
        "New: first seen at most 30 days ago. Of the others, active:",
        "Segment New Active Slipping Lapsed",
        "Everyone",
        "Segments and stages go together (Cramér’s V 0.",
        "of 1; p < 0.001), by the chi-square test",
    ):
        assert text in said, text
    assert "lifecycle" not in [attributes["id"] for attributes in Page(build_report(report_data())).named("section")]


def test_it_says_which_attributes_go_with_the_segments() -> None:
    page = Page(build_report(report_data(attributes=attributes())))
    assert "#attributes" in {link["href"] for link in page.named("a")}
    said = page.said()
    assert "Loyalty card 400 0.71 go together p < 0.001 Region 400 0.05 could be chance p = 0.317" in said
    assert "Country" not in said, "all have the same"
    sections = [section["id"] for section in Page(build_report(report_data())).named("section")]
    assert "attributes" not in sections


def test_it_says_what_a_version_was_judged_by() -> None:
    reason = "accepted in spite of max_moved_share: 420 people would change segment (18.0% against 15.0%): new season"
    base = report_data(checks=checks())
    page = Page(build_report(replace(base, provenance=replace(base.provenance, reason=reason))))
    said = page.said()
    for text in (
        "1 of 5 checks does not hold. Accepted in spite of max_moved_share: 420 people would change segment",
        "max_moved_share 18.0% at most 15.0% ✗ no 420 people would change segment",
        "min_segment_share 3.8% at least 1.0% yes 'Evening', 93 people",
        "max_drift 0.31 at most 0.40 yes 'recency', 2,469 people",
    ):
        assert text in said, text
    assert [a.get("class") for a in page.named("tr")].count("fails") == 1
    assert "Accepted in spite" not in Page(build_report(base)).said()


def test_who_moved_is_drawn_and_former_segments_have_their_names() -> None:
    page = Page(build_report(report_data(change=change())))
    said = page.said()
    assert "391 people moved, 1,490 stayed, 12 are new and 8 are gone" in said
    assert "Weekend shoppers → Big-basket deal-seekers 5" in said
    assert "“Seldom, small-basket” (90 people) has merged into “Lapsing, occasional”: 70 of them are" in said
    assert "Weekend shoppers → Big-basket deal-seekers: 180 people" in said, "in the picture"


def test_it_says_which_segments_lie_beside_each_other() -> None:
    page = Page(build_report(report_data(borders=borders())))
    assert "borders" in [attributes["id"] for attributes in page.named("section")]
    said = page.said()
    names = {profile.segment_id: profile.name for profile in report_data().segments}
    loyal, regular, deals, lapsing = (names[segment] for segment in ("s-loyal", "s-regular", "s-deals", "s-lapsing"))
    for text in (
        "about as near to it as to their own: 4.7 % of all",
        f"Segment ↓ next nearest → {regular} {loyal} {deals} {lapsing} On the border",
        f"{regular} – 25 % – 75 % 7.5 %",
        f"{loyal} 97 % – 2.9 % – 2.9 %",
        f"{deals} 100 % – – – 0 %",
    ):
        assert text in said, text
    assert "borders" not in [attributes["id"] for attributes in Page(build_report(report_data())).named("section")]


def test_it_says_what_rules_decided_and_where_the_model_alone_has_people() -> None:
    page = Page(build_report(report_data(decisions=decisions())))
    assert {attributes["href"] for attributes in page.named("a")} >= {"#rules"}
    said = page.said()
    names = {profile.segment_id: profile.name for profile in report_data().segments}
    loyal, regular, fallback = (names[segment] for segment in ("s-loyal", "s-regular", "unassigned"))
    for text in (
        "Rules decided of 158 people (12 % of all). The segments agree with",
        "of everyone to 0.87: 1 is the same",
        "big spenders 103 8.1 % staff 55 4.3 %",
        f"Segment ↓ the model alone → {regular} {loyal} s-emptied",
        f"{regular} 100 % – – {loyal} 25 % 75 % – {fallback} – – 100 %",
    ):
        assert text in said, text
    assert "rules" not in [attributes["id"] for attributes in Page(build_report(report_data())).named("section")]


def test_a_card_shows_who_is_typical() -> None:
    page = Page(build_report(report_data(typical=typical_people())))
    said = page.said()
    assert "Spend 4,321 USD ·" in said
    assert "Spend not known ·" in said
    assert said.index("p0a1b2c3") < said.index("p9f8e7d6"), "the most typical first"
    assert said.count("Real people") == 1, "where somebody is shown"
    assert "Real people" not in Page(build_report(report_data())).said()


def test_a_card_says_that_its_name_is_not_true_any_more(page: Page) -> None:
    data = report_data()
    untrue = replace(data.segments[0], better_name="Low-value & recent")
    said = Page(build_report(replace(data, segments=[untrue, *data.segments[1:]]))).said()
    note = "is not what they are any more: they would be called “Low-value & recent”. Set segments.names to change it."
    assert said.count(note) == 1
    assert "any more" not in page.said()


def test_journeys_say_what_came_next_and_where_people_leave() -> None:
    page = Page(build_report(report_data(journeys=journeys())))
    assert "journeys" in [attributes["id"] for attributes in page.named("section")]
    said = page.said()
    for text in (
        "How people come to purchase",
        "10,000 journeys in the last 90 days; 20 % of them led to purchase.",
        "After ↓ came → page view view product add to cart search purchase left",
        "add to cart 3,000 × – – – – 67 % 33 %",
        "page view → view product → add to cart → purchase 1,500 75 %",
        "page view → view product 3,000 38 %",
        "view product 44 % 47 %",
    ):
        assert text in said, text
    names = {profile.segment_id: profile.name for profile in report_data().segments}
    way = "page view → view product → add to cart → purchase 75 %"
    assert f"{names['s-loyal']} 4,000 25 % {way} –" in said
    assert f"{names['s-evening']} 2,000 0 % – page view → view product 38 %" in said
    assert "journeys" not in [attributes["id"] for attributes in Page(build_report(report_data())).named("section")]


def test_a_segment_is_never_its_number(page: Page) -> None:
    assert not re.search(r"(?i)cluster\s*\d|segment\s+\d", page.said())
    assert "s-loyal" not in page.said()


def test_what_other_methods_find_stands_beside_the_choice(html: str) -> None:
    assert "What other methods find in 2,000 of the people" in html
    assert "DBSCAN" in html
    assert '<td class="num">0.402</td><td class="num">21 %</td>' in html, "412 of them are in no cluster"
    base = report_data()
    assert "other methods" not in build_report(replace(base, choice=replace(base.choice, comparisons=())))


def test_texts_from_data_cannot_run(html: str) -> None:
    evil = "<script>alert(1)</script>\"' onload=x {{ 7*7 }} &"
    base = report_data()
    told = replace(
        base,
        title=evil,
        notes=(evil,),
        segments=[replace(s, name=evil, description=evil, segment_id=evil) for s in base.segments],
        features=[replace(info, label=evil, description=evil, unit=evil) for info in base.features],
        quality=[replace(q, source=evil, reasons={evil: 1}) for q in base.quality],
        choice=replace(
            base.choice, reason=evil, candidates=[replace(c, algorithm=evil) for c in base.choice.candidates]
        ),
        identity=replace(
            base.identity, links=[replace(k, reason=evil) for k in base.identity.links], identifiers={evil: 1}
        ),
        provenance=replace(base.provenance, reason=evil, status=evil, tables={evil: 1}),
    )
    attacked = build_report(told)
    page = Page(attacked)
    assert "script" not in {tag for tag, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in page.said()
    assert evil in page.said()


def test_it_loads_nothing_and_works_offline(html: str, page: Page) -> None:
    assert not re.search(r"(?i)https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe|srcset|data:", html)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base"})
    assert not [a for a in page.named("a") if not (a["href"] or "").startswith("#")]


def test_it_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("h1")) == 1
    assert all(a.get("aria-label") for a in page.named("svg"))
    assert all(a.get("aria-label") for _, a in page.elements if a.get("role") == "img")
    assert all(a.get("scope") for a in page.named("th"))
    regions = [a for _, a in page.elements if "scroll" in (a.get("class") or "").split()]
    assert regions
    assert all(a.get("tabindex") == "0" and (a.get("aria-label") or a.get("aria-labelledby")) for a in regions)
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))


def test_bars_and_colours_follow_the_effect(html: str) -> None:
    assert '<span class="fill more beyond" style="left:50%;width:50.0%"></span>' in html, "2.3 deviations fill a bar"
    assert '<span class="fill less" style="left:37.5%;width:12.5%"></span>' in html, "-0.5 are 12.5 % to the left"
    assert re.search(r'<td class="h4" title="much more than everyone[^"]*">118 trips</td>', html)
    assert re.search(r'<td class="h-2" title="clearly less than everyone[^"]*">1.2 days</td>', html)


def test_little_data_is_a_smaller_page() -> None:
    bare = report_data(
        notes=(), choice=None, identity=None, quality=(), movements=(), fidelity=None,
        features=(), segments=[Profile("s", "Typical", "1 person (100 % of all).", 1, 1.0, None, None, {})],
    )  # fmt: skip
    bare = replace(bare, activity=replace(bare.activity, months=bare.activity.months[:1], amount=None, sessions=0))
    page = Page(build_report(bare))
    assert [a["id"] for a in page.named("section")] == ["segments", "compare", "activity", "provenance"]
    assert "1 person in 1 segment" in page.said()
    assert page.named("svg") == []


def test_a_version_that_is_not_published_says_so() -> None:
    base = report_data()
    refused = replace(base.provenance, status="rejected", reason="31 % of people moved (at most 15 %).", published=None)
    said = Page(build_report(replace(base, provenance=refused))).said()
    assert "This version is rejected: a check refused it. 31 % of people moved (at most 15 %)." in said


def test_unknown_figures_are_said_to_be_unknown() -> None:
    base = report_data()
    first = base.segments[0]
    unknown = {
        name: replace(figures, known=0, mean=None, median=None, standard_deviation=None, effect_size=0.0)
        for name, figures in first.statistics.items()
    }
    info = FeatureInfo("recency", "recency", "days", "", "loyalty", "lapsing", "recent")
    page = Page(build_report(report_data(segments=[replace(first, statistics=unknown)], features=[info])))
    assert "Recency not known 9 days" in page.said(), "labels begin with a capital"
