-- CreateTable
CREATE TABLE "client" (
    "client_id" TEXT NOT NULL,
    "client_name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "secrets" TEXT NOT NULL DEFAULT '[]',
    "registration_id" TEXT,
    "listed_clients" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "client_pkey" PRIMARY KEY ("client_id")
);

-- CreateTable
CREATE TABLE "client_identity" (
    "client_id" TEXT NOT NULL,
    "registration_id" TEXT NOT NULL,

    CONSTRAINT "client_identity_pkey" PRIMARY KEY ("client_id")
);

-- CreateTable
CREATE TABLE "resource_server" (
    "id" TEXT NOT NULL,
    "audience" TEXT NOT NULL,
    "client_id" TEXT,
    "secrets" TEXT NOT NULL DEFAULT '[]',
    "name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "resource_server_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "cache_version" (
    "id" INTEGER NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "cache_version_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "replay_record" (
    "key" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "replay_record_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL,
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
    "recorded_state" TEXT NOT NULL DEFAULT 'announced',

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "shared_secret" (
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "shared_secret_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "credential_use" (
    "client_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "identifier" TEXT NOT NULL,
    "kid" TEXT,
    "used_at" BIGINT NOT NULL,

    CONSTRAINT "credential_use_pkey" PRIMARY KEY ("client_id","kind","identifier")
);

-- CreateTable
CREATE TABLE "revoked_token" (
    "jti" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "revoked_token_pkey" PRIMARY KEY ("jti")
);

-- CreateTable
CREATE TABLE "token_status_list" (
    "id" TEXT NOT NULL,
    "resource_server_id" TEXT NOT NULL,
    "kid" TEXT NOT NULL,
    "next_index" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "token_status_list_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_event" (
    "id" TEXT NOT NULL,
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
    "detail" TEXT,

    CONSTRAINT "audit_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pairing" (
    "id" TEXT NOT NULL,
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
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "pairing_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "withdrawn_holder" (
    "jti" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "withdrawn_holder_pkey" PRIMARY KEY ("jti","client_id")
);

-- CreateTable
CREATE TABLE "trusted_issuer" (
    "id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "listed_clients" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "trusted_issuer_pkey" PRIMARY KEY ("id")
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

-- All that follows is by hand. (\x3b is a semicolon: what applies this file ends a statement at each
-- one that it sees.)

-- Clients whose keys are elsewhere are few among many. By the text, so that a damaged row is no obstacle.
CREATE INDEX "client_jwks_uri_idx" ON "client"("client_id") WHERE strpos("metadata", '"jwks_uri":') > 0;

-- Every change of a registration changes the one row of cache_version, whoever writes. The triggers
-- are deferred to the commit: before it, a change keeps no other waiting. The number of the
-- transaction is the new version, once for many rows, and no other has it.
INSERT INTO "cache_version" ("id", "value") VALUES (1, '0');
CREATE FUNCTION "registrations_changed"() RETURNS trigger LANGUAGE plpgsql AS E'BEGIN
  UPDATE "cache_version" SET "value" = pg_current_xact_id()::text WHERE "value" <> pg_current_xact_id()::text\x3b
  RETURN NULL\x3b
END';
CREATE CONSTRAINT TRIGGER "client_changed" AFTER INSERT OR UPDATE OR DELETE ON "client"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"();
CREATE CONSTRAINT TRIGGER "resource_server_changed" AFTER INSERT OR UPDATE OR DELETE ON "resource_server"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"();

-- Of exchanged tokens only, so that no other issuance pays for it.
CREATE INDEX "audit_event_source_idx" ON "audit_event"("source") WHERE "source" IS NOT NULL;
CREATE INDEX "audit_event_derived_idx" ON "audit_event"("token_expires_at") WHERE "source" IS NOT NULL;
CREATE INDEX "pairing_holder_idx" ON "pairing"("holder");

-- Every registration has an identity, whoever writes it, and takes it along with its pairings when it goes.
-- Both lock the name before they touch the client: a deletion and a registration of one name come one after the other.
CREATE FUNCTION "client_identify"() RETURNS trigger LANGUAGE plpgsql AS E'BEGIN
  IF NEW."registration_id" IS NULL THEN
    INSERT INTO "client_identity" ("client_id", "registration_id") VALUES (NEW."client_id", replace(gen_random_uuid()::text, \'-\', \'\'))
      ON CONFLICT ("client_id") DO UPDATE SET "client_id" = EXCLUDED."client_id" RETURNING "registration_id" INTO NEW."registration_id"\x3b
  END IF\x3b
  RETURN NEW\x3b
END';
CREATE TRIGGER "client_identified" BEFORE INSERT ON "client" FOR EACH ROW EXECUTE FUNCTION "client_identify"();
CREATE FUNCTION "client_forget"() RETURNS trigger LANGUAGE plpgsql AS E'BEGIN
  DELETE FROM "client_identity" WHERE "client_id" = OLD."client_id"\x3b
  DELETE FROM "pairing" WHERE "requester" = OLD."client_id" OR "holder" = OLD."client_id"\x3b
  RETURN OLD\x3b
END';
CREATE TRIGGER "client_forgotten" BEFORE DELETE ON "client" FOR EACH ROW EXECUTE FUNCTION "client_forget"();

-- Null instead of an error, so that one damaged row fails no statement about others.
CREATE FUNCTION "json_or_null"("value" text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS E'BEGIN
  RETURN "value"::jsonb\x3b
EXCEPTION WHEN others THEN RETURN NULL\x3b
END';

-- CreateTable
CREATE TABLE "write_check" (
    "id" INTEGER NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "write_check_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "trust_rule" (
    "id" TEXT NOT NULL,
    "trusted_issuer_id" TEXT NOT NULL,
    "priority" INTEGER NOT NULL,
    "metadata" TEXT NOT NULL,
    "listed_clients" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "trust_rule_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "assertion_key" (
    "token" TEXT NOT NULL,
    "jkt" TEXT NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "assertion_key_pkey" PRIMARY KEY ("token")
);

-- CreateIndex
CREATE INDEX "trust_rule_trusted_issuer_id_priority_idx" ON "trust_rule"("trusted_issuer_id", "priority");

-- CreateIndex
CREATE INDEX "assertion_key_expires_at_idx" ON "assertion_key"("expires_at");
