"""Why a person got a mail, or did not, on a page: found by a form, told by ids, its words covered until asked for."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import actors
import db.database
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.integration.forget_cases import live_with_the_service, write_down
from tests.pages import OPERATOR, READER, log_in, open_pages, token

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic) -> FlaskClient:
    client = open_pages(environment)
    log_in(client)
    return client


@pytest.fixture
def anna(clinic: Clinic) -> list[str]:
    """Her user, check-up, profile, consultation and payment, address and names."""
    actors.publish(db.database.url())
    return live_with_the_service(clinic, "anna@example.com", "Анна", "Ёлкина")


def search(client: FlaskClient, words: str) -> TestResponse:
    form = token(client.get("/people").text)
    return client.post("/people", data={"csrf_token": form, "words": words}, headers=ENGLISH)


def refuse(clinic: Clinic, anna: list[str]) -> None:
    """A mail whose provider answered with her name."""
    delivery_id = write_down(clinic, "k", anna[5], anna[0], "failed")
    clinic.rows("UPDATE balansity.delivery SET reason = 'no box for Анна Ёлкина' WHERE id = %s", delivery_id)


def test_whatever_names_a_person_leads_to_an_address_without_it(client: FlaskClient, anna: list[str]) -> None:
    for words in (anna[0], anna[1][:8], anna[3], anna[4], anna[5].upper(), anna[7], f"{anna[6]} {anna[7]}"):
        answer = search(client, words)
        assert (answer.status_code, answer.location) == (303, f"/people/user/{anna[0]}"), words


def test_what_is_somebodys_leads_to_them(client: FlaskClient, anna: list[str]) -> None:
    for kind, id_ in (("check-up", anna[1]), ("appointment", anna[3]), ("payment", anna[4])):
        assert client.get(f"/people/{kind}/{id_}").location == f"/people/user/{anna[0]}"


def test_a_journey_tells_what_happened_and_what_becomes_of_reminders(client: FlaskClient, anna: list[str]) -> None:
    page = client.get(f"/people/user/{anna[0]}", headers=ENGLISH).text
    for words in ("Check-up: completed", "Payment: settled", "Message: waits", "its message is on its way"):
        assert words in page
    assert not any(word in page for word in anna[5:])
    assert "Чекап: завершено" in client.get(f"/people/user/{anna[0]}").text


def test_words_that_may_name_a_person_are_covered_until_an_operator_says_why(
    client: FlaskClient, clinic: Clinic, anna: list[str]
) -> None:
    refuse(clinic, anna)
    address = f"/people/user/{anna[0]}"
    page = client.get(address).text
    assert "•••" in page
    assert "Ёлкина" not in page
    form = token(page)
    assert client.post(f"{address}/reveal", data={"csrf_token": form, "reason": " "}).status_code == 400
    shown = client.post(f"{address}/reveal", data={"csrf_token": form, "reason": "she asks"}).text
    assert "no box for Анна Ёлкина" in shown
    assert clinic.rows("SELECT who, action, target, reason FROM balansity.operator_action") == [
        (OPERATOR[0], "reveal journey", anna[0], "she asks")
    ]


def test_a_reader_is_shown_no_words(client: FlaskClient, clinic: Clinic, anna: list[str]) -> None:
    refuse(clinic, anna)
    log_in(client, READER)
    address = f"/people/user/{anna[0]}"
    page = client.get(address).text
    assert "/reveal" not in page
    answer = client.post(f"{address}/reveal", data={"csrf_token": token(page), "reason": "curious"})
    assert answer.status_code == 403
    assert "Ёлкина" not in answer.text
    assert clinic.rows("SELECT FROM balansity.operator_action") == []


def test_among_several_of_one_name_a_person_chooses(client: FlaskClient, clinic: Clinic) -> None:
    users = [live_with_the_service(clinic, f"{name}@example.com", "Анна", "Иванова")[0] for name in ("a", "b")]
    page = search(client, "Иванова")
    assert page.status_code == 200
    assert all(f'href="/people/user/{user}"' in page.text for user in users)
    assert "Иванова" not in page.text


def test_mail_to_an_address_that_is_no_users_is_told_in_the_answer_itself(client: FlaskClient, clinic: Clinic) -> None:
    deliver(read_order({"to": "vera@example.com", "subject": "…", "template": "report_ready"}), "m1")
    answer = search(client, "vera@example.com")
    assert answer.status_code == 200
    assert "Mail: planned" in answer.text
    assert "vera@" not in answer.text
    clinic.add_user("vera@example.com")
    assert "/people/user/" in search(client, "vera@example.com").location


def test_what_is_nobodys_has_a_page_of_its_own(client: FlaskClient, clinic: Clinic) -> None:
    address = f"/people/check-up/{clinic.add_checkup(None)}"
    assert search(client, address[-36:]).location == address
    assert "Check-up: begun" in client.get(address, headers=ENGLISH).text


@pytest.mark.parametrize("words", ["nobody@example.com", "deadbeef", "Никто", "%", "", "a\0b"])
def test_what_names_nothing_is_said(client: FlaskClient, words: str) -> None:
    answer = search(client, words)
    assert answer.status_code == 404
    assert "Nothing here is called so." in answer.text


@pytest.mark.parametrize("kind", ["user", "payment", "nothing"])
def test_an_id_of_nothing_is_not_found(client: FlaskClient, kind: str) -> None:
    assert client.get(f"/people/{kind}/00000000-0000-4000-8000-000000000000").status_code == 404
