"""The Django project that Django's sessions and knox live in: one to a process."""

from __future__ import annotations

from functools import cache
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from sqlalchemy import make_url

from .peer import Place


@cache
def begin(place: Place) -> None:
    """Configure, make the tables and the users. The connection stays open, as Django keeps
    it only with `CONN_MAX_AGE`: its default opens one for each request."""
    settings.configure(
        SECRET_KEY="a key for benchmarks and nothing else",
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "rest_framework",
            "knox",
        ],
        DATABASES={"default": _database(place)},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)

    from django.contrib.auth.models import User

    users = [User(username=f"user-{number}", password="!") for number in range(place.users)]
    User.objects.bulk_create(users, batch_size=1000)


def _database(place: Place) -> dict[str, Any]:
    if place.store == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": place.file("django.db")}
    url = make_url(place.url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.host or "",
        "PORT": str(url.port or ""),
    }
