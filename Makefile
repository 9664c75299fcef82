# The few commands a contributor needs; `make help` lists them. The build server runs the same ones (.ci/run).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

RUN_PROFILE := $(or $(PROFILE),quick)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BUILT := $(TARGET_DIR)/$(if $(filter dev,$(RUN_PROFILE)),debug,$(RUN_PROFILE))/latchkey
GENERATED := schema.graphql docs/errors.md docs/configuration.md docs/features.md
LATCHKEY := cargo run --locked --quiet --

# What the tests of one database only are, by the name of their module: the other run says that it has left them out.
left_out = cargo test --locked --quiet --test it -- --list $(1):: | sed -n 's/: test$$/ (not run: $(1))/p'

.PHONY: run test test-all test-busy test-long test-rust torture conformance check check-compiler check-words check-code check-dependencies check-generated generate bench release help

run: ## build the server and start it (PROFILE=release for the fastest server)
	cargo build --locked --profile "$(RUN_PROFILE)" --bin latchkey
	@mkdir -p bin && ln -sfn "$$(realpath "$(BUILT)")" bin/latchkey
	exec bin/latchkey serve

test: test-rust conformance ## run every test

test-all: test test-long ## run every test, then for longer those that leave something to chance

test-long:
	env -u TEST_POSTGRES_URL MODEL_CASES=500 MODEL_STEPS=40 RACE_ROUNDS=200 cargo test --locked --test it -- keys::model keys::races settings::policy::of_fifty
	MODEL_CASES=500 MODEL_STEPS=40 RACE_ROUNDS=200 tests/with-postgres cargo test --locked --test it -- keys::model keys::races settings::policy::of_fifty

# insta appends the path of each snapshot that a test compares with to a file; a snapshot that is not in it is left over.
test-rust: ## run the Rust tests on SQLite, then on a PostgreSQL of their own; find snapshots that no test compares with
	@INSTA_SNAPSHOT_REFERENCES_FILE="$$(mktemp)"; export INSTA_SNAPSHOT_REFERENCES_FILE; \
	trap 'rm -f "$$INSTA_SNAPSHOT_REFERENCES_FILE"' EXIT; \
	(set -x; env -u TEST_POSTGRES_URL cargo test --locked --workspace -- --skip postgres_only::); \
	$(call left_out,postgres_only); \
	(set -x; tests/with-postgres cargo test --locked --test it -- --skip sqlite_only::); \
	$(call left_out,sqlite_only); \
	.ci/snapshots "$$INSTA_SNAPSHOT_REFERENCES_FILE"

# A loop ends with the shell that has started it, however that ends.
test-busy: ## run the Rust tests ROUNDS times (10) while two loops on each core keep the machine busy
	@cargo test --locked --workspace --no-run; \
	loops=(); trap 'kill "$${loops[@]}" 2>/dev/null || true' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM HUP; \
	for ((n = 2 * $$(nproc); n > 0; n--)); do \
		while kill -0 $$$$ 2>/dev/null; do for ((i = 0; i < 100000; i++)); do :; done; done & loops+=($$!); \
	done; \
	for ((round = 1; round <= $(or $(ROUNDS),10); round++)); do \
		began=$$SECONDS; $(MAKE) --no-print-directory test-rust; \
		echo "==> round $$round passed after $$((SECONDS - began)) s"; \
	done

# Takes an hour and more, and needs root (a small tmpfs) and strace. The PostgreSQL clusters are the tests' own.
torture: ## run the fault tests in full; TESTS=kill some of them, TORTURE_SCALE=10 a tenth of each
	cargo test --release --locked --test torture -- $(TESTS)

conformance: ## run stock client libraries against the server
	cargo build --locked --bin latchkey
	conformance/run

check: check-compiler check-words check-code check-dependencies check-generated ## check words, format, lints, documentation, dependencies and generated files

# Any stable compiler from the minimum in Cargo.toml on builds the project; lints and formatting may differ with another one.
check-compiler:
	@tested="$$(<.ci/tested-rust)"; used="$$(rustc --version | cut -d ' ' -f 2)"; \
	if [ "$$used" != "$$tested" ]; then \
		echo "NOTE: this is Rust $$used; the code is tested with $$tested (.ci/tested-rust), so lints and formatting may differ"; \
	fi

check-words:
	.ci/words

check-code:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --test torture -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# cargo machete: a dependency that it reports wrongly goes into `[package.metadata.cargo-machete]`, with the reason beside it.
check-dependencies:
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny --version '^0.20.2'
	@command -v cargo-machete >/dev/null || cargo install --locked cargo-machete --version '^0.9.2'
	cargo machete --skip-target-dir
	cargo fetch --locked
	cargo deny --offline check --hide-inclusion-graph bans licenses sources
	@if timeout 20 cargo deny fetch db </dev/null; then \
		cargo deny --offline check advisories; \
	else \
		echo "NOTE: advisories were NOT checked: the advisory database could not be fetched within 20 s"; \
	fi

# Compares with copies, not with the last commit, so that it also tells the truth in the middle of a change.
check-generated:
	@before="$$(mktemp -d)"; trap 'rm -rf "$$before"' EXIT; \
	for file in $(GENERATED); do \
		mkdir -p "$$before/$$(dirname "$$file")"; \
		if [ -e "$$file" ]; then cp "$$file" "$$before/$$file"; fi; \
	done; \
	$(MAKE) --no-print-directory generate; \
	stale=""; \
	for file in $(GENERATED); do \
		cmp -s "$$before/$$file" "$$file" || stale="$$stale $$file"; \
	done; \
	if [ -n "$$stale" ]; then \
		echo "ERROR: out of date, now written anew, to be committed:$$stale" >&2; exit 1; \
	fi

# The files move into place only after all of them were written: one that fails leaves the old ones as they were.
generate: ## write schema.graphql and the generated pages of docs/
	@mkdir -p docs "$(TARGET_DIR)/generated/docs"
	$(LATCHKEY) schema > "$(TARGET_DIR)/generated/schema.graphql"
	$(LATCHKEY) docs errors > "$(TARGET_DIR)/generated/docs/errors.md"
	$(LATCHKEY) docs configuration > "$(TARGET_DIR)/generated/docs/configuration.md"
	tests/features > "$(TARGET_DIR)/generated/docs/features.md"
	@for file in $(GENERATED); do mv "$(TARGET_DIR)/generated/$$file" "$$file"; done

bench: ## measure the token endpoint against a bare floor, what tokens are worth against bare handlers, refused GraphQL requests, lists and changes of many keys, a million keys in memory
	cargo bench --locked --profile "$(or $(PROFILE),release)" --bench exchange --bench verify --bench graphql --bench lists --bench registry

release: ## build the files of a release: the binary, its debug information apart, checksums
	cargo build --locked --release --bin latchkey
	.ci/release "$(TARGET_DIR)/release/latchkey" "$(TARGET_DIR)/dist"

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
