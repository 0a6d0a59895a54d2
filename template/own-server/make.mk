# Deployments to your own server: docs/deploy-own-server.md.
SERVER_DIR ?= app
TAG ?= $(shell git rev-parse --short=12 HEAD)

.PHONY: image deploy rollback server-status
# The shell reads them as variables: what is in them is never run.
deploy rollback server-status: export DEPLOY_SERVER = $(SERVER)
deploy rollback server-status: export DEPLOY_DIR = $(SERVER_DIR)
deploy rollback server-status: export DEPLOY_TAG = $(TAG)

image: ## Build the image, tag it with the commit, and push it: IMAGE=ghcr.io/me/app
	@test -n "$(IMAGE)" || { echo "Name the image: make image IMAGE=ghcr.io/me/app"; exit 2; }
	@git diff --quiet HEAD || { echo "Commit your changes first: the tag is the commit."; exit 2; }
	docker build --tag "$(IMAGE):$(TAG)" .
	docker push "$(IMAGE):$(TAG)"

deploy: server-files ## Deploy the commit's image to your server: SERVER=deploy@example.com
	ssh -- "$$DEPLOY_SERVER" "$$DEPLOY_DIR/own-server/deploy deploy $$DEPLOY_TAG"

rollback: server-name ## Go back to the previous release on your server: SERVER=deploy@example.com
	ssh -- "$$DEPLOY_SERVER" "$$DEPLOY_DIR/own-server/deploy rollback"

server-status: server-name ## Show the releases on your server: SERVER=deploy@example.com
	ssh -- "$$DEPLOY_SERVER" "$$DEPLOY_DIR/own-server/deploy status"

.PHONY: server-files server-name
server-name:
	@test -n "$$DEPLOY_SERVER" || { echo "Name the server: make deploy SERVER=deploy@example.com"; exit 2; }
	@case "$$DEPLOY_TAG$$DEPLOY_DIR" in *[!A-Za-z0-9_./~-]*) echo "TAG or SERVER_DIR has other characters than a name."; exit 2;; esac

# All committed files but the code, which is in the image. .env is not committed: it stays as it is on the server.
server-files: server-name
	git archive --format=tar "$$DEPLOY_TAG" -- . ':!app' ':!tests' ':!migrations' ':!docs' | \
		ssh -- "$$DEPLOY_SERVER" "mkdir -p $$DEPLOY_DIR && tar --extract --directory $$DEPLOY_DIR"
