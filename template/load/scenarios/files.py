"""Users who upload files and download them."""

from load.scenario import Scenario, Session

CONTENT = bytes(range(256)) * 256


def upload(session: Session) -> None:
    """Upload a file of 64 KiB, download it, and delete it, so that the used space stays within every plan."""
    body = {"name": "report.bin", "content_type": "application/octet-stream", "size": len(CONTENT)}
    link = session.send("POST", "/app/files/upload-url", json=body, expected=(200, 201))
    session.send(
        link["method"],
        link["url"],
        name="the upload",
        content=CONTENT,
        headers=link["headers"],
        anonymous=True,
        expected=(200, 201, 204),
    )
    session.send("POST", "/app/files/confirm", json={"id": link["id"]}, expected=(200, 201))
    name = "/app/files/{id}"
    found = session.send("GET", f"/app/files/{link['id']}/download-url", name=f"{name}/download-url")
    session.send(found["method"], found["url"], name="the download", headers=found["headers"], anonymous=True)
    session.send("DELETE", f"/app/files/{link['id']}", name=name, expected=(200, 204))


def list_files(session: Session) -> None:
    """Read the first page of the user's files."""
    session.send("GET", "/app/files")


scenario = Scenario(name="files", steps={upload: 1, list_files: 3}, pause=(1, 3), p95=1.5)
