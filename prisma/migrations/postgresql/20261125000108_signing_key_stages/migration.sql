-- AlterTable
ALTER TABLE "signing_key" ADD COLUMN     "recorded_state" TEXT NOT NULL DEFAULT 'announced';
