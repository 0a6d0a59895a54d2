"""SQL in logs and telemetry: no values, bounded, few names."""

import sys
import time

import pytest

from app.core.observability.statements import MAX_TEXT, describe

SECRET = "hidden"


@pytest.mark.parametrize(
    ("sql", "summary", "text"),
    [
        ("SELECT id FROM projects WHERE id = $1", "SELECT projects", "SELECT id FROM projects WHERE id = $1"),
        ("select 1", "SELECT", "select ?"),
        ("UPDATE users SET a='it''s hidden'", "UPDATE users", "UPDATE users SET a=?"),
        ("UPDATE users SET a = E'\\'hidden'", "UPDATE users", "UPDATE users SET a = ?"),
        ("SELECT 'C:\\', 'hidden'", "SELECT", "SELECT ?, ?"),
        ("UPDATE users SET a = $x1$hidden$x1$", "UPDATE users", "UPDATE users SET a = ?"),
        ("UPDATE users SET a = $x$hidden 'y'$x$, b = 2", "UPDATE users", "UPDATE users SET a = ?, b = ?"),
        ("UPDATE users SET a = 'hidden", "UPDATE users", "UPDATE users SET a = ?"),
        ('DELETE FROM "odd 1" WHERE a = 1.5e3', "DELETE odd", 'DELETE FROM "odd 1" WHERE a = ?'),
        ("INSERT INTO t (a) VALUES (0xFF)", "INSERT t", "INSERT INTO t (a) VALUES (?)"),
        ("SELECT a FROM t WHERE b IN ($1, $2, $3, $4)", "SELECT t", "SELECT a FROM t WHERE b IN (?, …)"),
        ("SELECT a FROM t WHERE b IN (?, ?, ?)", "SELECT t", "SELECT a FROM t WHERE b IN (?, …)"),
        ("SELECT a -- hidden\nFROM t /* hidden */", "SELECT t", "SELECT a FROM t"),
        ("SELECT a /* x /* y */ hidden */ FROM t", "SELECT t", "SELECT a FROM t"),
        ("SELECT a /* /* */ /*/ hidden **/ */ FROM t", "SELECT t", "SELECT a FROM t"),
        ("SELECT a /*/*/*/*/*/**/*/*/*/*/*/ hidden */ FROM t", "SELECT", "SELECT a"),
        ("SELECT a /* /* hidden */", "SELECT", "SELECT a"),
        ("", "SQL", ""),
        ("(((", "SQL", "((("),
    ],
)
def test_has_no_values(sql: str, summary: str, text: str) -> None:
    statement = describe(sql)
    assert (statement.summary, statement.text) == (summary, text)
    assert SECRET not in repr(statement)


def test_is_bounded() -> None:
    assert len(describe("SELECT " + "a, " * 100_000).text) <= MAX_TEXT
    assert SECRET not in describe("SELECT '" + "x" * 50_000 + SECRET).text


@pytest.mark.parametrize("part", ["/*", "/* ", "*/", "/**", "'/*", "*"])
def test_is_read_in_a_short_time(part: str) -> None:
    started = time.perf_counter()
    describe("SELECT /*" + part * 10_000)
    assert time.perf_counter() - started < 1


def test_keeps_no_long_statement_in_memory() -> None:
    sql = "INSERT INTO rows VALUES " + "($1, $2), " * 50_000
    before = sys.getrefcount(sql)
    describe(sql)
    assert sys.getrefcount(sql) == before
