-- CreateTable
CREATE TABLE "client" (
    "client_id" TEXT NOT NULL,
    "client_name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "secret_hash" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "client_pkey" PRIMARY KEY ("client_id")
);

-- CreateTable
CREATE TABLE "resource_server" (
    "id" TEXT NOT NULL,
    "audience" TEXT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "metadata" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "resource_server_pkey" PRIMARY KEY ("id")
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
    "first_for" TEXT,
    "public_jwk" TEXT NOT NULL,
    "private_jwe" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "shared_secret" (
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "shared_secret_pkey" PRIMARY KEY ("name")
);

-- CreateIndex
CREATE UNIQUE INDEX "resource_server_audience_key" ON "resource_server"("audience");

-- CreateIndex
CREATE INDEX "replay_record_expires_at_idx" ON "replay_record"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "signing_key_first_for_key" ON "signing_key"("first_for");
