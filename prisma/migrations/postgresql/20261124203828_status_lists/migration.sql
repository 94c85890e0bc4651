-- DropTable
DROP TABLE "status_list";

-- DropTable
DROP TABLE "revoked_status";

-- CreateTable
CREATE TABLE "token_status_list" (
    "id" TEXT NOT NULL,
    "resource_server_id" TEXT NOT NULL,
    "kid" TEXT NOT NULL,
    "next_index" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "token_status_list_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "token_status_list_expires_at_idx" ON "token_status_list"("expires_at");

-- CreateIndex
CREATE INDEX "token_status_list_resource_server_id_kid_idx" ON "token_status_list"("resource_server_id", "kid");
