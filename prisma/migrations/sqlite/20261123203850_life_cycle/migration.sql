-- CreateTable
CREATE TABLE "credential_use" (
    "client_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "identifier" TEXT NOT NULL,
    "used_at" BIGINT NOT NULL,

    PRIMARY KEY ("client_id", "kind", "identifier")
);

-- CreateTable
CREATE TABLE "revoked_token" (
    "jti" TEXT NOT NULL PRIMARY KEY,
    "expires_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "status_list" (
    "resource_server_id" TEXT NOT NULL PRIMARY KEY,
    "next_index" INTEGER NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0
);

-- CreateTable
CREATE TABLE "revoked_status" (
    "resource_server_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL,

    PRIMARY KEY ("resource_server_id", "index")
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
    "detail" TEXT
);

-- CreateTable
CREATE TABLE "pairing" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "requester" TEXT NOT NULL,
    "holder" TEXT NOT NULL,
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
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_client" (
    "client_id" TEXT NOT NULL PRIMARY KEY,
    "client_name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "secrets" TEXT NOT NULL DEFAULT '[]',
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);
INSERT INTO "new_client" ("client_id", "client_name", "created_at", "metadata", "updated_at", "version", "secrets") SELECT "client_id", "client_name", "created_at", "metadata", "updated_at", "version", CASE WHEN "secret_hash" IS NULL THEN '[]' ELSE '[{"id":"1","hash":"' || secret_hash || '","created_at":' || (created_at / 1000) || '}]' END FROM "client";
DROP TABLE "client";
ALTER TABLE "new_client" RENAME TO "client";
CREATE TABLE "new_resource_server" (
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
INSERT INTO "new_resource_server" ("audience", "created_at", "id", "metadata", "name", "updated_at", "version") SELECT "audience", "created_at", "id", "metadata", "name", "updated_at", "version" FROM "resource_server";
DROP TABLE "resource_server";
ALTER TABLE "new_resource_server" RENAME TO "resource_server";
CREATE UNIQUE INDEX "resource_server_audience_key" ON "resource_server"("audience");
CREATE UNIQUE INDEX "resource_server_client_id_key" ON "resource_server"("client_id");
CREATE TABLE "new_signing_key" (
    "kid" TEXT NOT NULL PRIMARY KEY,
    "alg" TEXT NOT NULL,
    "first_for" TEXT,
    "public_jwk" TEXT NOT NULL,
    "private_jwe" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "active_at" BIGINT NOT NULL DEFAULT 0,
    "retired_at" BIGINT,
    "removed_at" BIGINT,
    "revoked_at" BIGINT
);
INSERT INTO "new_signing_key" ("alg", "created_at", "first_for", "kid", "private_jwe", "public_jwk") SELECT "alg", "created_at", "first_for", "kid", "private_jwe", "public_jwk" FROM "signing_key";
DROP TABLE "signing_key";
ALTER TABLE "new_signing_key" RENAME TO "signing_key";
CREATE UNIQUE INDEX "signing_key_first_for_key" ON "signing_key"("first_for");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- CreateIndex
CREATE INDEX "revoked_token_expires_at_idx" ON "revoked_token"("expires_at");

-- CreateIndex
CREATE INDEX "revoked_status_expires_at_idx" ON "revoked_status"("expires_at");

-- CreateIndex
CREATE INDEX "audit_event_client_id_id_idx" ON "audit_event"("client_id", "id");

-- CreateIndex
CREATE INDEX "audit_event_jkt_id_idx" ON "audit_event"("jkt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_requester_holder_key" ON "pairing"("requester", "holder");

-- CreateIndex
CREATE INDEX "withdrawn_holder_expires_at_idx" ON "withdrawn_holder"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "trusted_issuer_issuer_key" ON "trusted_issuer"("issuer");
