"""Users who work on their projects."""

from load.scenario import Scenario, Session


def list_projects(session: Session) -> None:
    """Read the first page, and search."""
    session.send("GET", "/app/projects")
    session.send("GET", "/app/projects?search=No", name="/app/projects?search=")


def edit_project(session: Session) -> None:
    """Create a project, read it, change it and delete it. The number of projects stays within every plan."""
    project = session.send("POST", "/app/projects", json={"name": "No. 1"}, expected=(201,))
    path, name = f"/app/projects/{project['id']}", "/app/projects/{id}"
    session.send("GET", path, name=name)
    session.send("PATCH", path, name=name, json={"name": "No. 2"})
    session.send("DELETE", path, name=name, expected=(204,))


scenario = Scenario(name="projects", steps={list_projects: 5, edit_project: 1}, weight=3)
