-- CreateTable
CREATE TABLE "client" (
    "client_id" TEXT NOT NULL PRIMARY KEY,
    "client_name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "secrets" TEXT NOT NULL DEFAULT '[]',
    "registration_id" TEXT,
    "listed_clients" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "client_identity" (
    "client_id" TEXT NOT NULL PRIMARY KEY,
    "registration_id" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "resource_server" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "audience" TEXT NOT NULL,
    "client_id" TEXT,
    "secrets" TEXT NOT NULL DEFAULT '[]',
    "name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "cache_version" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "value" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "replay_record" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "expires_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL PRIMARY KEY,
    "alg" TEXT NOT NULL,
    "purpose" TEXT NOT NULL DEFAULT 'issuer',
    "first_for" TEXT,
    "public_jwk" TEXT NOT NULL,
    "private_jwe" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "active_at" BIGINT NOT NULL DEFAULT 0,
    "retired_at" BIGINT,
    "removed_at" BIGINT,
    "revoked_at" BIGINT,
    "recorded_state" TEXT NOT NULL DEFAULT 'announced'
);

-- CreateTable
CREATE TABLE "shared_secret" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "credential_use" (
    "client_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "identifier" TEXT NOT NULL,
    "kid" TEXT,
    "used_at" BIGINT NOT NULL,

    PRIMARY KEY ("client_id", "kind", "identifier")
);

-- CreateTable
CREATE TABLE "revoked_token" (
    "jti" TEXT NOT NULL PRIMARY KEY,
    "expires_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "token_status_list" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "resource_server_id" TEXT NOT NULL,
    "kid" TEXT NOT NULL,
    "next_index" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "audit_event" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "at" BIGINT NOT NULL,
    "type" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "client_id" TEXT,
    "audience" TEXT,
    "jkt" TEXT,
    "jti" TEXT,
    "evidence" TEXT,
    "reason" TEXT,
    "token_expires_at" BIGINT,
    "registration_id" TEXT,
    "resource_server_id" TEXT,
    "source" TEXT,
    "client_authority" TEXT,
    "grant_authority" TEXT,
    "detail" TEXT
);

-- CreateTable
CREATE TABLE "pairing" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "requester" TEXT NOT NULL,
    "holder" TEXT NOT NULL,
    "requester_id" TEXT,
    "holder_id" TEXT,
    "consent" TEXT,
    "mode" TEXT NOT NULL,
    "first_party" BOOLEAN NOT NULL,
    "metadata" TEXT NOT NULL DEFAULT '{}',
    "revoked_at" BIGINT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "withdrawn_holder" (
    "jti" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL,

    PRIMARY KEY ("jti", "client_id")
);

-- CreateTable
CREATE TABLE "trusted_issuer" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "issuer" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "listed_clients" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "client_registration_id_key" ON "client"("registration_id");

-- CreateIndex
CREATE INDEX "client_updated_at_idx" ON "client"("updated_at");

-- CreateIndex
CREATE UNIQUE INDEX "client_identity_registration_id_key" ON "client_identity"("registration_id");

-- CreateIndex
CREATE UNIQUE INDEX "resource_server_audience_key" ON "resource_server"("audience");

-- CreateIndex
CREATE UNIQUE INDEX "resource_server_client_id_key" ON "resource_server"("client_id");

-- CreateIndex
CREATE INDEX "replay_record_expires_at_idx" ON "replay_record"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "signing_key_first_for_key" ON "signing_key"("first_for");

-- CreateIndex
CREATE INDEX "credential_use_used_at_idx" ON "credential_use"("used_at");

-- CreateIndex
CREATE INDEX "revoked_token_expires_at_idx" ON "revoked_token"("expires_at");

-- CreateIndex
CREATE INDEX "token_status_list_expires_at_idx" ON "token_status_list"("expires_at");

-- CreateIndex
CREATE INDEX "token_status_list_resource_server_id_kid_idx" ON "token_status_list"("resource_server_id", "kid");

-- CreateIndex
CREATE INDEX "audit_event_client_id_id_idx" ON "audit_event"("client_id", "id");

-- CreateIndex
CREATE INDEX "audit_event_jkt_id_idx" ON "audit_event"("jkt", "id");

-- CreateIndex
CREATE INDEX "audit_event_type_id_idx" ON "audit_event"("type", "id");

-- CreateIndex
CREATE INDEX "audit_event_jti_idx" ON "audit_event"("jti");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_consent_key" ON "pairing"("consent");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_requester_holder_key" ON "pairing"("requester", "holder");

-- CreateIndex
CREATE INDEX "withdrawn_holder_expires_at_idx" ON "withdrawn_holder"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "trusted_issuer_issuer_key" ON "trusted_issuer"("issuer");

-- All that follows is by hand. A later migration that rebuilds a table must make its triggers again.

-- Clients whose keys are elsewhere are few among many. By the text, so that a damaged row is no obstacle.
CREATE INDEX "client_jwks_uri_idx" ON "client"("client_id") WHERE instr("metadata", '"jwks_uri":') > 0;

-- Every change of a registration changes the one row of cache_version, whoever writes.
INSERT INTO "cache_version" ("id", "value") VALUES (1, '0');
CREATE TRIGGER "client_created" AFTER INSERT ON "client" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "client_changed" AFTER UPDATE ON "client" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "client_removed" AFTER DELETE ON "client" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "resource_server_created" AFTER INSERT ON "resource_server" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "resource_server_changed" AFTER UPDATE ON "resource_server" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "resource_server_removed" AFTER DELETE ON "resource_server" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;

-- Of exchanged tokens only, so that no other issuance pays for it.
CREATE INDEX "audit_event_source_idx" ON "audit_event"("source") WHERE "source" IS NOT NULL;
CREATE INDEX "audit_event_derived_idx" ON "audit_event"("token_expires_at") WHERE "source" IS NOT NULL;

-- Every registration has an identity, whoever writes it, and takes it along with its pairings when it goes.
CREATE TRIGGER "client_identified" AFTER INSERT ON "client" WHEN NEW."registration_id" IS NULL BEGIN
  INSERT INTO "client_identity" ("client_id", "registration_id") VALUES (NEW."client_id", lower(hex(randomblob(16)))) ON CONFLICT DO NOTHING;
  UPDATE "client" SET "registration_id" = (SELECT "registration_id" FROM "client_identity" WHERE "client_id" = NEW."client_id") WHERE "client_id" = NEW."client_id";
END;
CREATE TRIGGER "client_forgotten" AFTER DELETE ON "client" BEGIN
  DELETE FROM "client_identity" WHERE "client_id" = OLD."client_id";
  DELETE FROM "pairing" WHERE "requester" = OLD."client_id" OR "holder" = OLD."client_id";
END;
CREATE INDEX "pairing_holder_idx" ON "pairing"("holder");

-- CreateTable
CREATE TABLE "write_check" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "value" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "trust_rule" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "trusted_issuer_id" TEXT NOT NULL,
    "priority" INTEGER NOT NULL,
    "metadata" TEXT NOT NULL,
    "listed_clients" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "assertion_key" (
    "token" TEXT NOT NULL PRIMARY KEY,
    "jkt" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL
);

-- CreateIndex
CREATE INDEX "trust_rule_trusted_issuer_id_priority_idx" ON "trust_rule"("trusted_issuer_id", "priority");

-- CreateIndex
CREATE INDEX "assertion_key_expires_at_idx" ON "assertion_key"("expires_at");
