"""Addresses that somebody wrote into a row are links only where they lead to the clinic's own hosts."""

import pytest

from domain.link import web_link
from errors import SettingsError
from mail.facts import AppointmentFacts
from settings import load
from tests.unit.test_calendar_file import APPOINTMENT

HOSTS = ("video.example", "xn--b1aedk6a.xn--p1ai")


@pytest.mark.parametrize(
    "address",
    [
        "https://video.example/room/7f3a?name=%D0%9C#top",
        "https://video.example",
        "https://eu.video.example:443/r",
        "HTTPS://VIDEO.EXAMPLE/r",
        " https://xn--b1aedk6a.xn--p1ai/r\r\n",
    ],
)
def test_an_address_of_a_known_host_is_a_link(address: str) -> None:
    assert web_link(address, HOSTS) == address.strip()


@pytest.mark.parametrize(
    "address",
    [
        None, "", "video.example/r", "http://video.example/r", "javascript:alert(1)", "java\nscript:alert(1)",
        "https:video.example", "https:/video.example", "https:///video.example", "//video.example/r", "https://[",
        "https://evil.example/r", "https://evil.example/video.example", "https://evil.example?https://video.example/",
        "https://evilvideo.example", "https://video.example.evil.example/r", "https://video.example.",
        "https://video.example@evil.example/r", "https://a:b@video.example/r", "https://@video.example",
        "https://evil.example\\@video.example", "https://evil.example\\.video.example/r", "https:\\\\video.example",
        "https://video.example:8443/r", "https://video.example:/r", "https://video.example:443@evil.example",
        "https://vidеo.example/r", "https://video。example/r", "https://ｖideo.example/r", "https://video.example\uff0fr",
        "httpſ://video.example/r", "https://video.example/r\r\nBcc: a@b", "https://video.example/my room",
        "https://video.example/\u202eexe", "https://video.example/<b>", "https://.video.example/r",
        "https://video.example/" + "r" * 2_000,
    ],
)  # fmt: skip
def test_any_other_address_is_none(address: str | None) -> None:
    assert web_link(address, HOSTS) is None


def test_without_hosts_of_its_own_the_sites_count() -> None:
    assert load({"SITE_URL": "https://www.balansity.example"}).room_hosts == ("balansity.example",)
    assert load({"VIDEO_HOSTS": "Meet.example.com, video.example"}).room_hosts == ("meet.example.com", "video.example")


@pytest.mark.parametrize("url", ["https://video.balansity.example/r", "https://evil.example/r", " ", None])
def test_a_mail_says_where_an_address_is_that_it_does_not_show(url: str | None) -> None:
    facts: AppointmentFacts = APPOINTMENT.model_copy(update={"video_room_url": url})
    assert (facts.link, facts.link_is_in_account) == {
        "https://video.balansity.example/r": (url, False),
        "https://evil.example/r": (None, True),
    }.get(url or "", (None, False))


@pytest.mark.parametrize(
    "hosts", ["https://meet.example", "*.example", "видео.рф", "localhost", "a.example,,b.example", "a.b/c"]
)
def test_what_is_no_hosts_name_is_no_setting(hosts: str) -> None:
    with pytest.raises(SettingsError, match="VIDEO_HOSTS"):
        load({"VIDEO_HOSTS": hosts})
