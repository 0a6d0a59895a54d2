"""DATABASE_URL as platforms print it."""

import ssl
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.core.config.database_url import driver_arguments, is_behind_pooler, normal_url

AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUJRUadj6xQNYZxFeUYWgVIPCRz/8wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjcyMTA5NTNaGA8yMTI2MTEwMzIxMDk1
M1owDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEgF
UaDElmt82DyfCpQr4lMTjimKjkhsdJb7CnWIjIxaN8LDNVtUyF9gbgtIqdgfP6MQ
8VgfxE/NEgRSK+BRb0qjUzBRMB0GA1UdDgQWBBQf0xMpQmmrrAP+6zCr7o86MaKq
FDAfBgNVHSMEGDAWgBQf0xMpQmmrrAP+6zCr7o86MaKqFDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCjgmUSLkOz3BbgwQ/zNv/us1OHC1ISvLzI
K1YcrtkskgIhAONhf/dx6qS+mAWws8U0bU9FtsaNqbsWNqgP8UEKw3eb
-----END CERTIFICATE-----
"""


class TestAccepted:
    @pytest.mark.parametrize(
        ("url", "normal"),
        [
            # Heroku
            ("postgres://me:secret@ec2.amazonaws.com:5432/name", "me:secret@ec2.amazonaws.com:5432/name"),
            # Render
            (
                "postgresql://me:secret@dpg-1.oregon-postgres.render.com/name",
                "me:secret@dpg-1.oregon-postgres.render.com/name",
            ),
            # Neon
            (
                "postgresql://me:secret@ep-1-pooler.eu.aws.neon.tech/name?sslmode=require&channel_binding=require",
                "me:secret@ep-1-pooler.eu.aws.neon.tech/name?ssl=require",
            ),
            (
                "postgresql://me:secret@eu.aws.neon.tech/name?options=endpoint%3Dep-1&sslmode=require",
                "me:secret@eu.aws.neon.tech/name?options=endpoint%3Dep-1&ssl=require",
            ),
            # A hosted pooler
            (
                "postgres://me.ref:secret@aws-0.pooler.example.com:6543/postgres?pgbouncer=true&connection_limit=1",
                "me.ref:secret@aws-0.pooler.example.com:6543/postgres?pgbouncer=true",
            ),
            # Cloud SQL
            (
                "postgresql+psycopg2://me:secret@/name?host=/cloudsql/p:r:i",
                "me:secret@/name?host=%2Fcloudsql%2Fp%3Ar%3Ai",
            ),
            # RDS
            (
                "postgresql://me:secret@db.rds.amazonaws.com/name?ssl=true",
                "me:secret@db.rds.amazonaws.com/name?ssl=require",
            ),
            ("postgresql+psycopg://me:secret@h/name?sslmode=no-verify", "me:secret@h/name?ssl=require"),
            ("postgresql://me:secret@h/name?application_name=web", "me:secret@h/name?application_name=web"),
            (
                "postgresql://me:secret@h1:5432,h2/name?target_session_attrs=read-write",
                "me:secret@/name?host=h1%3A5432&host=h2%3A5432&target_session_attrs=read-write",
            ),
            ("postgresql://me:se%40cret@h/name", "me:se%40cret@h/name"),
        ],
    )
    def test_is_each_form_that_a_platform_prints(self, url: str, normal: str) -> None:
        assert normal_url(url) == f"postgresql+asyncpg://{normal}"
        # It stays what it is, and SQLAlchemy's driver takes what is left of it.
        assert normal_url(normal_url(url)) == normal_url(url)
        left, _, _ = driver_arguments(normal_url(url))
        _, arguments = left.get_dialect()().create_connect_args(left)
        assert arguments.keys() <= {
            "host", "port", "database", "user", "password", "ssl", "target_session_attrs"
        }  # fmt: skip

    def test_is_a_socket_with_colons(self) -> None:
        left, _, _ = driver_arguments(normal_url("postgresql://me@/name?host=/cloudsql/p:r:i"))
        _, arguments = left.get_dialect()().create_connect_args(left)
        assert arguments["host"] == "/cloudsql/p:r:i"

    def test_is_a_pooler(self) -> None:
        assert is_behind_pooler(normal_url("postgres://me@h/name?pgbouncer=true"))
        assert not is_behind_pooler(normal_url("postgres://me@h/name"))


class TestServerParameters:
    def test_are_sent_to_the_server(self) -> None:
        url = normal_url("postgresql://me@h/name?options=endpoint%3Dep-1&application_name=web")
        left, tls, parameters = driver_arguments(url)
        assert (tls, parameters) == ({}, {"options": "endpoint=ep-1", "application_name": "web"})
        assert not left.query


class TestTls:
    def test_is_verified_against_the_authorities_of_the_system(self) -> None:
        for query in ("sslmode=verify-full", "sslmode=verify-full&sslrootcert=system"):
            context = context_of(query)
            assert context.check_hostname
            assert context.verify_mode is ssl.CERT_REQUIRED

    def test_is_verified_against_a_file(self, tmp_path: Path) -> None:
        root = tmp_path / "root.pem"
        root.write_text(AUTHORITY)
        context = context_of(f"sslmode=require&sslrootcert={root}")
        assert not context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) == 1

    def test_is_left_to_the_driver_otherwise(self) -> None:
        left, tls, _ = driver_arguments(normal_url("postgresql://me@h/name?sslmode=require"))
        assert tls == {}
        assert left.query == {"ssl": "require"}


class TestRefused:
    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("postgresql://me:p@ss@h/name", "%40"),
            ("postgresql://me:p/ss@h/name", "%2F"),
            ("postgresql://me:p?ss@h/name", "%3F"),
            ('"postgresql://me:secret@h/name"', "quotes"),
            ("jdbc:postgresql://h/name", "JDBC"),
            # As Neon's and Render's consoles show it for copying.
            ("psql 'postgresql://me:secret@h/name'", "leave out `psql`"),
            ("host=h dbname=name user=me password=secret", "libpq's parameters"),
            # As Cloud SQL documents it for pg8000.
            ("postgresql+pg8000://me:secret@/name?unix_sock=/cloudsql/p:r:i/.s.PGSQL.5432", "host=/cloudsql"),
            ("postgresql://me:secret@h:65536/name", "between 1 and 65535"),
            ("postgresql://me:secret@h", "names no database"),
            ("postgresql://me:secret@h/name?sslmode=sometimes", "unknown sslmode"),
            ("postgresql://me:secret@h/name?sslrootcert=/nowhere/root.pem", "sslrootcert that does not exist"),
            ("postgresql://me:secret@h/name?sslkey=/dev/null", "does not exist|without sslcert"),
            ("postgresql://me:secret@h/name?sslrootcert=system&sslmode=disable", "verify-full"),
            ("postgresql://me:secret@h/name?user=you", "does not know: user"),
            ("mysql://me:secret@h/name", "must look like"),
            ("sqlite://", "name a file"),
            ("nonsense", "is not a URL"),
        ],
    )
    def test_is_explained_without_the_password(self, url: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason) as refused:
            normal_url(url)
        assert "secret" not in str(refused.value)
        assert "p@ss" not in str(refused.value)


def context_of(query: str) -> ssl.SSLContext:
    left, tls, _ = driver_arguments(normal_url(f"postgresql://me@h/name?{query}"))
    assert left == make_url("postgresql+asyncpg://me@h/name")
    context = tls["ssl"]
    assert isinstance(context, ssl.SSLContext)
    return context
