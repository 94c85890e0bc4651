-- CreateTable
CREATE TABLE "client" (
    "client_id" TEXT NOT NULL PRIMARY KEY,
    "client_name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "secret_hash" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "resource_server" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "audience" TEXT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
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
    "first_for" TEXT,
    "public_jwk" TEXT NOT NULL,
    "private_jwe" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "shared_secret" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "resource_server_audience_key" ON "resource_server"("audience");

-- CreateIndex
CREATE INDEX "replay_record_expires_at_idx" ON "replay_record"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "signing_key_first_for_key" ON "signing_key"("first_for");
