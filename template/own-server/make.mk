# Deployments to your own server: docs/deploy-own-server.md.
SERVER_DIR ?= app
TAG ?= $(shell git rev-parse --short=12 HEAD)

.PHONY: image deploy rollback server-status

image: ## Build the image, tag it with the commit, and push it: IMAGE=ghcr.io/me/app
	@test -n "$(IMAGE)" || { echo "Name the image: make image IMAGE=ghcr.io/me/app"; exit 2; }
	@git diff --quiet HEAD || { echo "Commit your changes first: the tag is the commit."; exit 2; }
	docker build --tag "$(IMAGE):$(TAG)" .
	docker push "$(IMAGE):$(TAG)"

deploy: server-files ## Deploy the commit's image to your server: SERVER=deploy@example.com
	ssh "$(SERVER)" '$(SERVER_DIR)/own-server/deploy deploy $(TAG)'

rollback: server-name ## Go back to the previous release on your server: SERVER=deploy@example.com
	ssh "$(SERVER)" '$(SERVER_DIR)/own-server/deploy rollback'

server-status: server-name ## Show the releases on your server: SERVER=deploy@example.com
	ssh "$(SERVER)" '$(SERVER_DIR)/own-server/deploy status'

.PHONY: server-files server-name
server-name:
	@test -n "$(SERVER)" || { echo "Name the server: make deploy SERVER=deploy@example.com"; exit 2; }

# All committed files but the code, which is in the image. .env is not committed: it stays as it is on the server.
server-files: server-name
	git archive --format=tar $(TAG) -- . ':!app' ':!tests' ':!migrations' ':!docs' | \
		ssh "$(SERVER)" 'mkdir -p $(SERVER_DIR) && tar --extract --directory $(SERVER_DIR)'
