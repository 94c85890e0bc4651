-- AlterTable
ALTER TABLE "audit_event" ADD COLUMN "actor_source" TEXT;

-- Of delegations only, so that no other issuance pays for it.
CREATE INDEX "audit_event_actor_source_idx" ON "audit_event"("actor_source") WHERE "actor_source" IS NOT NULL;
