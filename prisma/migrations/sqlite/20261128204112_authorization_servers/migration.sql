-- CreateTable
CREATE TABLE "authorization_server" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "issuer" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "listed_clients" TEXT,
    "managed_by" TEXT,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "authorization_server_issuer_key" ON "authorization_server"("issuer");
