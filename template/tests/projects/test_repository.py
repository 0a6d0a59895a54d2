"""The projects' table."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.pagination import PageParams
from app.core.errors import NotFoundError
from app.projects.repository import ProjectRepository
from app.projects.schemas import ProjectCreate, ProjectRead
from tests.conftest import ME, SignIn


@pytest.fixture
async def owner_id(client: httpx.AsyncClient, sign_in: SignIn) -> UUID:
    """Somebody who has projects."""
    return UUID((await client.get(ME, headers=await sign_in())).json()["id"])


@pytest.fixture
def projects(session: AsyncSession) -> ProjectRepository:
    """The repository."""
    return ProjectRepository(session)


class TestSoftDelete:
    async def test_hides_the_project_from_every_reader(self, projects: ProjectRepository, owner_id: UUID) -> None:
        project = await projects.create_with_owner(ProjectCreate(name="Apollo"), owner_id)

        await projects.soft_delete(project)

        assert await projects.get(project.id) is None
        assert await projects.count(owner_id=owner_id) == 0
        assert list(await projects.get_multi_by_owner(owner_id)) == []
        assert (await projects.page(ProjectRead, PageParams(), owner_id=owner_id)).total == 0
        with pytest.raises(NotFoundError):
            await projects.require(project.id)

    async def test_keeps_the_row_for_queries_with_deleted_rows(
        self, projects: ProjectRepository, owner_id: UUID
    ) -> None:
        project = await projects.create_with_owner(ProjectCreate(name="Apollo"), owner_id)

        await projects.soft_delete(project)

        kept = await projects.require(project.id, with_deleted=True)
        assert kept.deleted_at is not None
        assert await projects.count(owner_id=owner_id, with_deleted=True) == 1


class TestRestore:
    async def test_makes_the_project_visible_again(self, projects: ProjectRepository, owner_id: UUID) -> None:
        project = await projects.create_with_owner(ProjectCreate(name="Apollo"), owner_id)
        await projects.soft_delete(project)

        await projects.restore(await projects.require(project.id, with_deleted=True))

        assert (await projects.require(project.id, owner_id=owner_id)).deleted_at is None
