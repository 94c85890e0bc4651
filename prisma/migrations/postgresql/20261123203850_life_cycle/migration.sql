-- AlterTable: the one secret of a client becomes the first of its list
ALTER TABLE "client" ADD COLUMN     "secrets" TEXT NOT NULL DEFAULT '[]';
UPDATE "client" SET "secrets" = '[{"id":"1","hash":"' || secret_hash || '","created_at":' || (created_at / 1000) || '}]' WHERE "secret_hash" IS NOT NULL;
ALTER TABLE "client" DROP COLUMN "secret_hash";

-- AlterTable
ALTER TABLE "resource_server" ADD COLUMN     "client_id" TEXT,
ADD COLUMN     "secrets" TEXT NOT NULL DEFAULT '[]';

-- AlterTable
ALTER TABLE "signing_key" ADD COLUMN     "active_at" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "removed_at" BIGINT,
ADD COLUMN     "retired_at" BIGINT,
ADD COLUMN     "revoked_at" BIGINT;

-- CreateTable
CREATE TABLE "credential_use" (
    "client_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "identifier" TEXT NOT NULL,
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
CREATE TABLE "status_list" (
    "resource_server_id" TEXT NOT NULL,
    "next_index" INTEGER NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "status_list_pkey" PRIMARY KEY ("resource_server_id")
);

-- CreateTable
CREATE TABLE "revoked_status" (
    "resource_server_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "revoked_status_pkey" PRIMARY KEY ("resource_server_id","index")
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
    "detail" TEXT,

    CONSTRAINT "audit_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pairing" (
    "id" TEXT NOT NULL,
    "requester" TEXT NOT NULL,
    "holder" TEXT NOT NULL,
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
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "trusted_issuer_pkey" PRIMARY KEY ("id")
);

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

-- CreateIndex
CREATE UNIQUE INDEX "resource_server_client_id_key" ON "resource_server"("client_id");
