-- CreateTable
CREATE TABLE "admin_token" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "scope" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "created_by" TEXT NOT NULL,
    "expires_at" BIGINT,
    "last_used_at" BIGINT,
    "previous_hash" TEXT,
    "previous_until" BIGINT
);

-- CreateTable
CREATE TABLE "audit_sink" (
    "sink" TEXT NOT NULL PRIMARY KEY,
    "position" TEXT NOT NULL DEFAULT '',
    "holder" TEXT,
    "held_until" BIGINT NOT NULL DEFAULT 0
);

-- CreateIndex
CREATE UNIQUE INDEX "admin_token_name_key" ON "admin_token"("name");

-- CreateIndex
CREATE UNIQUE INDEX "admin_token_hash_key" ON "admin_token"("hash");

-- CreateIndex
CREATE UNIQUE INDEX "admin_token_previous_hash_key" ON "admin_token"("previous_hash");
