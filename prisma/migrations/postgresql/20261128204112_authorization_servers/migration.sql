-- CreateTable
CREATE TABLE "authorization_server" (
    "id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "listed_clients" TEXT,
    "managed_by" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,

    CONSTRAINT "authorization_server_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "authorization_server_issuer_key" ON "authorization_server"("issuer");
