-- AlterTable
ALTER TABLE "client" ADD COLUMN     "managed_by" TEXT;

-- AlterTable
ALTER TABLE "resource_server" ADD COLUMN     "managed_by" TEXT;

-- AlterTable
ALTER TABLE "pairing" ADD COLUMN     "managed_by" TEXT;

-- AlterTable
ALTER TABLE "trusted_issuer" ADD COLUMN     "managed_by" TEXT;

-- AlterTable
ALTER TABLE "trust_rule" ADD COLUMN     "managed_by" TEXT;

-- All that follows is by hand.

-- Pairings, trusted issuers and their rules change the one row of cache_version too: a declared
-- configuration is applied to the state that it was compared with, or not at all.
CREATE CONSTRAINT TRIGGER "pairing_changed" AFTER INSERT OR UPDATE OR DELETE ON "pairing"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"();
CREATE CONSTRAINT TRIGGER "trusted_issuer_changed" AFTER INSERT OR UPDATE OR DELETE ON "trusted_issuer"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"();
CREATE CONSTRAINT TRIGGER "trust_rule_changed" AFTER INSERT OR UPDATE OR DELETE ON "trust_rule"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registrations_changed"();
