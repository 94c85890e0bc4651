-- AlterTable
ALTER TABLE "trusted_issuer" ADD COLUMN     "subject_prefix" TEXT;
