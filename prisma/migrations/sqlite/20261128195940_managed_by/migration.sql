-- AlterTable
ALTER TABLE "client" ADD COLUMN "managed_by" TEXT;

-- AlterTable
ALTER TABLE "resource_server" ADD COLUMN "managed_by" TEXT;

-- AlterTable
ALTER TABLE "pairing" ADD COLUMN "managed_by" TEXT;

-- AlterTable
ALTER TABLE "trusted_issuer" ADD COLUMN "managed_by" TEXT;

-- AlterTable
ALTER TABLE "trust_rule" ADD COLUMN "managed_by" TEXT;

-- All that follows is by hand. A later migration that rebuilds a table must make its triggers again.

-- Pairings, trusted issuers and their rules change the one row of cache_version too: a declared
-- configuration is applied to the state that it was compared with, or not at all.
CREATE TRIGGER "pairing_created" AFTER INSERT ON "pairing" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "pairing_changed" AFTER UPDATE ON "pairing" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "pairing_removed" AFTER DELETE ON "pairing" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "trusted_issuer_created" AFTER INSERT ON "trusted_issuer" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "trusted_issuer_changed" AFTER UPDATE ON "trusted_issuer" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "trusted_issuer_removed" AFTER DELETE ON "trusted_issuer" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "trust_rule_created" AFTER INSERT ON "trust_rule" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "trust_rule_changed" AFTER UPDATE ON "trust_rule" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "trust_rule_removed" AFTER DELETE ON "trust_rule" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
