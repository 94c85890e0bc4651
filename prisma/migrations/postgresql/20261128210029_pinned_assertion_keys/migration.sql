-- AlterTable
ALTER TABLE "assertion_key" ADD COLUMN     "pinned" BOOLEAN NOT NULL DEFAULT false;
