-- AlterTable
ALTER TABLE "credential_use" ADD COLUMN "kid" TEXT;

-- CreateIndex
CREATE INDEX "credential_use_used_at_idx" ON "credential_use"("used_at");
