-- AlterTable
ALTER TABLE "client" ADD COLUMN "listed_clients" TEXT;
ALTER TABLE "client" ADD COLUMN "registration_id" TEXT;

-- AlterTable
ALTER TABLE "audit_event" ADD COLUMN "registration_id" TEXT;
ALTER TABLE "audit_event" ADD COLUMN "resource_server_id" TEXT;
ALTER TABLE "audit_event" ADD COLUMN "source" TEXT;

-- AlterTable
ALTER TABLE "pairing" ADD COLUMN "consent" TEXT;
ALTER TABLE "pairing" ADD COLUMN "holder_id" TEXT;
ALTER TABLE "pairing" ADD COLUMN "requester_id" TEXT;

-- AlterTable
ALTER TABLE "trusted_issuer" ADD COLUMN "listed_clients" TEXT;

-- CreateTable
CREATE TABLE "client_identity" (
    "client_id" TEXT NOT NULL PRIMARY KEY,
    "registration_id" TEXT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "client_identity_registration_id_key" ON "client_identity"("registration_id");

-- CreateIndex
CREATE UNIQUE INDEX "client_registration_id_key" ON "client"("registration_id");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_consent_key" ON "pairing"("consent");

-- All that follows is by hand. A later migration that rebuilds "client" must make its triggers again.
-- Of exchanged tokens only, so that no other issuance pays for it.
CREATE INDEX "audit_event_source_idx" ON "audit_event"("source") WHERE "source" IS NOT NULL;
CREATE INDEX "audit_event_derived_idx" ON "audit_event"("token_expires_at") WHERE "source" IS NOT NULL;

-- Every registration has an identity, whoever writes it, and takes it along with its pairings when it goes.
CREATE TRIGGER "client_identified" AFTER INSERT ON "client" WHEN NEW."registration_id" IS NULL BEGIN
  INSERT INTO "client_identity" ("client_id", "registration_id") VALUES (NEW."client_id", lower(hex(randomblob(16)))) ON CONFLICT DO NOTHING;
  UPDATE "client" SET "registration_id" = (SELECT "registration_id" FROM "client_identity" WHERE "client_id" = NEW."client_id") WHERE "client_id" = NEW."client_id";
END;
CREATE TRIGGER "client_forgotten" AFTER DELETE ON "client" BEGIN
  DELETE FROM "client_identity" WHERE "client_id" = OLD."client_id";
  DELETE FROM "pairing" WHERE "requester" = OLD."client_id" OR "holder" = OLD."client_id";
END;
CREATE INDEX "pairing_holder_idx" ON "pairing"("holder");

-- What is there already: names stand for who bears them now, or for who will first.
INSERT INTO "client_identity" ("client_id", "registration_id") SELECT "client_id", lower(hex(randomblob(16))) FROM "client";
INSERT INTO "client_identity" ("client_id", "registration_id") SELECT DISTINCT "named"."value", lower(hex(randomblob(16))) FROM "client", json_each(iif(json_valid("metadata"), "metadata", '{}'), '$.alt_cnf_holders') AS "named" WHERE "named"."type" = 'text' ON CONFLICT DO NOTHING;
INSERT INTO "client_identity" ("client_id", "registration_id") SELECT DISTINCT "named"."value", lower(hex(randomblob(16))) FROM "client", json_each(iif(json_valid("metadata"), "metadata", '{}'), '$.alt_cnf_requesters') AS "named" WHERE "named"."type" = 'text' ON CONFLICT DO NOTHING;
INSERT INTO "client_identity" ("client_id", "registration_id") SELECT DISTINCT "named"."value", lower(hex(randomblob(16))) FROM "trusted_issuer", json_each(iif(json_valid("metadata"), "metadata", '{}'), '$.clients') AS "named" WHERE "named"."type" = 'text' ON CONFLICT DO NOTHING;
UPDATE "client" SET "registration_id" = (SELECT "registration_id" FROM "client_identity" AS "i" WHERE "i"."client_id" = "client"."client_id");
UPDATE "client" SET "listed_clients" = (SELECT json_group_array(json_array("i"."client_id", "i"."registration_id")) FROM "client_identity" AS "i" WHERE "i"."client_id" IN (SELECT "value" FROM json_each("client"."metadata", '$.alt_cnf_holders') UNION SELECT "value" FROM json_each("client"."metadata", '$.alt_cnf_requesters'))) WHERE instr("metadata", '"alt_cnf_') > 0 AND json_valid("metadata");
UPDATE "trusted_issuer" SET "listed_clients" = (SELECT json_group_array(json_array("i"."client_id", "i"."registration_id")) FROM "client_identity" AS "i" WHERE "i"."client_id" IN (SELECT "value" FROM json_each("trusted_issuer"."metadata", '$.clients'))) WHERE instr("metadata", '"clients"') > 0 AND json_valid("metadata");
DELETE FROM "pairing" WHERE NOT EXISTS (SELECT 1 FROM "client" WHERE "client_id" = "requester") OR NOT EXISTS (SELECT 1 FROM "client" WHERE "client_id" = "holder");
UPDATE "pairing" SET "consent" = "id", "requester_id" = (SELECT "registration_id" FROM "client" WHERE "client_id" = "requester"), "holder_id" = (SELECT "registration_id" FROM "client" WHERE "client_id" = "holder");
UPDATE OR IGNORE "credential_use" SET "client_id" = (SELECT "id" FROM "resource_server" AS "r" WHERE "r"."client_id" = "credential_use"."client_id") WHERE "kind" = 'secret' AND "client_id" IN (SELECT "client_id" FROM "resource_server");
UPDATE OR IGNORE "credential_use" SET "client_id" = (SELECT "registration_id" FROM "client" AS "c" WHERE "c"."client_id" = "credential_use"."client_id") WHERE "client_id" IN (SELECT "client_id" FROM "client");
