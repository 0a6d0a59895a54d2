"""The lines that wiring files have for what is chosen, file by file."""

from functools import partial
from typing import Final

from omnistack.prove.checks.wiring_items import (
    any_of,
    compose_files,
    container_settings,
    entered,
    generated,
    given,
    makefiles,
    never,
    other_settings,
    pairs,
    processes,
    release_names,
    release_settings,
    release_values,
    releases,
    runbook,
    secret_sections,
    sections,
    service_sections,
    services,
    several_of,
    stored,
    target_pairs,
    targets,
    tools,
    volumes,
)
from omnistack.prove.checks.wiring_lines import Lines

TABLES: Final = r"^\["
"""The lines by which the tables of a TOML file begin."""
BLUEPRINT: Final = r"^  - type: |^databases:"
VARIABLE: Final = r"^      - key: "
MANIFEST: Final = r"^  name: "
EXAMPLE: Final = r"^# --- "

one_stored, none_stored = any_of(stored), any_of(stored, negated=True)
one_process, several_services = any_of(processes), several_of(services)
secrets = partial(release_values, field="secrets")
variables = partial(release_values, field="variables")

FLY: Final = (
    Lines(of=stored, text='<setting> = "<path>"', within="[env]", header=TABLES),
    Lines(of=container_settings, text="<name> = <json>", within="[env]", header=TABLES),
    Lines(of=processes, text='<name> = "<command>"', within="[processes]", header=TABLES),
    Lines(of=stored, text='source = "<name>"', within="[[mounts]]", header=TABLES),
    Lines(of=stored, text='destination = "<path>"', within="[[mounts]]", header=TABLES),
    Lines(of=one_stored, text="# A volume belongs to one machine, …"),
)
RENDER: Final = (
    Lines(of=stored, text="      name: <name>", within="    disk:"),
    Lines(of=stored, text="      mountPath: <path>", within="    disk:"),
    Lines(of=stored, text="      - key: <setting>", within="  - type: web", header=BLUEPRINT),
    Lines(of=stored, text="        value: <path>", within="      - key: <setting>", header=VARIABLE),
    Lines(of=container_settings, text="      - key: <name>", within="  - type: web", header=BLUEPRINT),
    Lines(of=container_settings, text="        value: <json>", within="      - key: <name>", header=VARIABLE),
    Lines(of=services, macro="render_environment", text="      ", within="  - type: web", header=BLUEPRINT),
    Lines(of=entered, text="      - key: <name>", within="  - type: web", header=BLUEPRINT),
    Lines(of=entered, text="        sync: false", within="      - key: <name>", header=VARIABLE),
    Lines(of=processes, text="    name: …-<name>"),
    Lines(of=processes, text="    dockerCommand: <command>"),
    Lines(
        of=pairs(processes, container_settings, "setting"),
        text="      - key: <setting_name>",
        within="  - type: worker",
        header=BLUEPRINT,
    ),
    Lines(
        of=pairs(processes, entered, "setting"),
        text="      - key: <setting_name>",
        within="  - type: worker",
        header=BLUEPRINT,
    ),
    Lines(of=pairs(processes, entered, "setting"), text="          envVarKey: <setting_name>"),
    Lines(
        of=pairs(services, processes, "process"),
        macro="render_environment",
        text="      ",
        within="  - type: worker",
        header=BLUEPRINT,
    ),
    Lines(of=other_settings(entered), text="          envVarKey: <name>"),
    Lines(of=services, macro="render_service", within="  - type: keyvalue", header=BLUEPRINT),
)
KAMAL: Final = (
    Lines(of=processes, text="  <name>:", within="servers:"),
    Lines(of=processes, text="    cmd: <command>", within="  <name>:"),
    Lines(of=stored, text="    <setting>: <path>", within="  clear:"),
    Lines(of=container_settings, text="    <name>: <json>", within="  clear:"),
    Lines(of=given, text="    - <name>", within="  secret:"),
    Lines(of=other_settings(given), text="    - <name>", within="  secret:"),
    Lines(of=one_stored, text="volumes:"),
    Lines(of=stored, text="  - <name>:<path>", within="volumes:"),
    Lines(of=services, text="  <name>:", within="accessories:"),
    Lines(of=services, macro="kamal_accessory", text="    ", within="  <name>:"),
)
KAMAL_SECRETS: Final = (
    Lines(of=given, text="<name>=$(sed -n s/^<name>=//p production.env)"),
    Lines(of=other_settings(given), text="<name>=$(sed -n s/^<name>=…"),
    Lines(of=services, macro="kamal_secrets"),
)
KUBERNETES: Final = (
    Lines(of=stored, text="            - {name: <name>, mountPath: <path>}"),
    Lines(of=stored, text="          persistentVolumeClaim: {claimName: <name>}"),
    Lines(of=one_stored, text="kind: PersistentVolumeClaim"),
    Lines(of=stored, text="  name: <name>"),
    Lines(of=one_stored, text="  replicas: 1", within="  name: app", header=MANIFEST),
    Lines(of=one_stored, text="  strategy: {type: Recreate}"),
    Lines(of=none_stored, text="  strategy:"),
    Lines(of=none_stored, text="kind: PodDisruptionBudget"),
    Lines(of=none_stored, text="kind: HorizontalPodAutoscaler"),
    Lines(of=processes, text="  name: <name>"),
    Lines(of=processes, text="          args: <json>"),
)
KUBERNETES_SETTINGS: Final = (
    Lines(of=stored, text="  <setting>: <path>"),
    Lines(of=container_settings, text="  <name>: <json>"),
)
COMPOSE: Final = (
    Lines(of=volumes, text="    <setting>: <path>"),
    Lines(of=any_of(volumes), text="  volumes:"),
    Lines(of=volumes, text="    - <name>:<path>"),
    Lines(of=volumes, text="  <name>:"),
    Lines(of=container_settings, text="    <name>: <json>"),
    Lines(of=compose_files, text="  - path: <path>"),
)
COMPOSE_PRODUCTION: Final = (
    Lines(of=services, macro="variables", text="    ", within="x-app: &app"),
    Lines(of=volumes, text="    <setting>: <path>", within="x-app: &app"),
    Lines(of=container_settings, text="    <name>: <json>", within="x-app: &app"),
    Lines(of=any_of(volumes), text="  volumes:", within="x-app: &app"),
    Lines(of=volumes, text="    - <name>:<path>", within="x-app: &app"),
    Lines(of=processes, text="  <name>-blue: &<name>", within="services:"),
    Lines(of=processes, text="    command: <json>", within="  <name>-blue: &<name>"),
    Lines(of=processes, text="  <name>-green:", within="services:"),
    Lines(of=services, text="      <name>:", within="  release:"),
    Lines(of=services, text="  <name>:", within="services:"),
    Lines(of=services, macro="compose", text="    ", within="  <name>:"),
    Lines(of=services, macro="limits", text="    ", within="  <name>:"),
    Lines(of=services, text="  <name>:", within="volumes:"),
    Lines(of=volumes, text="  <name>:", within="volumes:"),
    Lines(of=compose_files, text="  - path: <path>", within="include:"),
)
DOCKERFILE: Final = (
    Lines(of=volumes, text="RUN install --directory … <path>"),
    Lines(of=volumes, text="ENV <setting>=<path>"),
    Lines(of=release_settings, text="ENV <name>=$RELEASE"),
)
ENVIRONMENT: Final = (
    Lines(of=sections, text="# --- <label> ---"),
    Lines(
        of=partial(given, required=True, by_service=False),
        text="<name>=…",
        within="# --- <label> ---",
        header=EXAMPLE,
    ),
    Lines(
        of=partial(given, required=True, by_service=True),
        text="# <name>=",
        within="# --- <label> ---",
        header=EXAMPLE,
    ),
    Lines(of=partial(given, required=False), text="# <name>=", within="# --- <label> ---", header=EXAMPLE),
    Lines(of=other_settings(given), text="# <name>="),
    Lines(of=never(partial(given, required=True, by_service=False)), text="# <name>="),
    Lines(of=secret_sections, text="# Make one with: …", within="# --- <label> ---", header=EXAMPLE),
    Lines(of=service_sections, text="# The platform's own service …", within="# --- <label> ---", header=EXAMPLE),
)
CI_WORKFLOW: Final = (
    Lines(of=generated, text='          echo "<name>=$(openssl rand -hex 32)" >> .env'),
    Lines(of=other_settings(generated), text='          echo "<name>=…'),
    Lines(of=services, macro="runner"),
)
DEPLOY_WORKFLOW: Final = (
    Lines(of=targets, text="  staging-<job>:"),
    Lines(of=targets, text="  production-<job>:"),
    Lines(of=targets, text="    needs: [image]", within="  staging-<job>:"),
    Lines(of=target_pairs, text="    needs: [image…, staging-<other>…]", within="  production-<job>:"),
    Lines(of=secrets, text="      <name>: ${{ secrets.<name> }}", within="  <job>:"),
    Lines(of=variables, text="      <name>: ${{ vars.<name> }}", within="  <job>:"),
)
GITLAB: Final = (
    Lines(of=generated, text='    - echo "<name>=$(openssl rand -hex 32)" >> .env'),
    Lines(of=other_settings(generated), text='    - echo "<name>=…'),
    Lines(of=services, macro="gitlab_runner"),
    Lines(of=any_of(targets), text=".release:"),
    Lines(of=targets, text="staging-<job>:"),
    Lines(of=targets, text="production-<job>:"),
    Lines(of=targets, text="      when: manual", within="production-<job>:"),
    Lines(of=never(targets), text="      when: manual", within="staging-<job>:"),
)
MAKEFILE: Final = (
    Lines(of=makefiles, text="include <path>"),
    Lines(of=processes, text="<name>:…"),
    Lines(of=processes, text="<name>-dev:…"),
    Lines(of=tools, text="<name>:…"),
)
FLY_PAGE: Final = (
    Lines(of=processes, text="`fly.toml` describes …app…<name>…"),
    Lines(of=services, macro="fly_commands", text="   "),
    Lines(of=stored, text="   fly volumes create <name> …"),
    Lines(of=one_stored, text="A volume belongs to one machine. …"),
    Lines(of=one_process, text="…each of the other processes…"),
)
KAMAL_PAGE: Final = (
    Lines(of=services, macro="kamal_address", text="   "),
    Lines(of=one_stored, text="Files are on a volume, …"),
    Lines(of=none_stored, text="Add addresses to `hosts`. …"),
    Lines(of=processes, text="The process `<name>` runs once …"),
)
KUBERNETES_PAGE: Final = (
    Lines(of=processes, text="| `app.yaml` |…the process `<name>`…"),
    Lines(of=one_stored, text="| `app.yaml` |…the volume…"),
    Lines(of=none_stored, text="| `app.yaml` |…autoscaling…"),
    Lines(of=several_services, text="…the other services…"),
    Lines(of=processes, text="…scale deployment <name> …"),
    Lines(of=one_stored, text="A project that stores files on a volume …"),
)
RAILWAY_PAGE: Final = (
    Lines(of=processes, text="`railway/` has one file …app…<name>…"),
    Lines(of=processes, text="   railway add --service <name> …"),
    Lines(of=services, macro="railway_commands", text="   "),
    Lines(of=processes, text="…`/railway/<name>.json` for `<name>`…"),
    Lines(of=container_settings, text="   railway variable set --service app --skip-deploys <name>=<value>"),
    Lines(of=one_process, text="   Give the other processes the same variables…"),
    Lines(of=stored, text="   railway volume …--mount-path <path>"),
    Lines(of=stored, text="   railway variable set --service app --skip-deploys <setting>=<path>"),
    Lines(of=processes, text="   railway up --service <name>"),
    Lines(of=one_process, text="…choose *Rollback* …the other processes…"),
    Lines(of=one_stored, text="A service with a volume …"),
    Lines(of=pairs(stored, processes, "process"), text="…The other processes cannot read"),
)
RENDER_PAGE: Final = (
    Lines(of=processes, text="`render.yaml` is a …the server…<help>…"),
    Lines(of=one_process, text="…choose *Rollback* …the other processes…"),
    Lines(of=one_stored, text="A disk belongs to one instance …"),
    Lines(of=pairs(stored, processes, "process"), text="…**The other processes cannot read that disk:**…"),
    Lines(of=one_process, text="The `starter` plan costs …each of the …"),
    Lines(of=several_services, text="The `starter` plan costs …each further service…"),
)
CI_PAGE: Final = (
    Lines(of=targets, text="| `<NAME>_URL` | variable |…"),
    Lines(of=partial(release_names, field="secrets"), text="| `<name>` | secret |…"),
    Lines(of=partial(release_names, field="variables"), text="| `<name>` | variable |…"),
)

TABLE: Final = {
    "fly.toml": FLY,
    "render.yaml": RENDER,
    "config/deploy.yml": KAMAL,
    ".kamal/secrets": KAMAL_SECRETS,
    "kubernetes/app.yaml": KUBERNETES,
    "kubernetes/settings.yaml": KUBERNETES_SETTINGS,
    "kubernetes/deploy": (Lines(of=processes, text="deployments=(app… <name>…)"),),
    "compose.yaml": COMPOSE,
    "compose.production.yaml": COMPOSE_PRODUCTION,
    "Dockerfile": DOCKERFILE,
    "production.env.example": ENVIRONMENT,
    ".github/workflows/ci.yml": CI_WORKFLOW,
    ".github/workflows/deploy.yml": DEPLOY_WORKFLOW,
    ".gitlab-ci.yml": GITLAB,
    "release.toml": (Lines(of=releases, text="[<name>]"),),
    "Makefile": MAKEFILE,
    "pyproject.toml": (Lines(of=tools, text='files = …"<name>"…'),),
    "docs/deploy-fly.md": FLY_PAGE,
    "docs/deploy-kamal.md": KAMAL_PAGE,
    "docs/deploy-kubernetes.md": KUBERNETES_PAGE,
    "docs/deploy-railway.md": RAILWAY_PAGE,
    "docs/deploy-render.md": RENDER_PAGE,
    "docs/ci.md": CI_PAGE,
    "docs/runbook/README.md": (Lines(of=runbook, text="- [<page>](<page>): …"),),
}
