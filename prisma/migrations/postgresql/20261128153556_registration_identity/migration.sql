-- AlterTable
ALTER TABLE "client" ADD COLUMN     "listed_clients" TEXT,
ADD COLUMN     "registration_id" TEXT;

-- AlterTable
ALTER TABLE "audit_event" ADD COLUMN     "registration_id" TEXT,
ADD COLUMN     "resource_server_id" TEXT,
ADD COLUMN     "source" TEXT;

-- AlterTable
ALTER TABLE "pairing" ADD COLUMN     "consent" TEXT,
ADD COLUMN     "holder_id" TEXT,
ADD COLUMN     "requester_id" TEXT;

-- AlterTable
ALTER TABLE "trusted_issuer" ADD COLUMN     "listed_clients" TEXT;

-- CreateTable
CREATE TABLE "client_identity" (
    "client_id" TEXT NOT NULL,
    "registration_id" TEXT NOT NULL,

    CONSTRAINT "client_identity_pkey" PRIMARY KEY ("client_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "client_identity_registration_id_key" ON "client_identity"("registration_id");

-- CreateIndex
CREATE UNIQUE INDEX "client_registration_id_key" ON "client"("registration_id");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_consent_key" ON "pairing"("consent");

-- All that follows is by hand.
-- Of exchanged tokens only, so that no other issuance pays for it.
CREATE INDEX "audit_event_source_idx" ON "audit_event"("source") WHERE "source" IS NOT NULL;
CREATE INDEX "audit_event_derived_idx" ON "audit_event"("token_expires_at") WHERE "source" IS NOT NULL;
CREATE INDEX "pairing_holder_idx" ON "pairing"("holder");

-- Every registration has an identity, whoever writes it, and takes it along with its pairings when it goes.
-- Both lock the name before they touch the client: a deletion and a registration of one name come one after the other.
-- (\x3b is a semicolon: what applies this file ends a statement at each one that it sees.)
CREATE FUNCTION "client_identify"() RETURNS trigger LANGUAGE plpgsql AS E'BEGIN
  IF NEW."registration_id" IS NULL THEN
    INSERT INTO "client_identity" ("client_id", "registration_id") VALUES (NEW."client_id", replace(gen_random_uuid()::text, \'-\', \'\'))
      ON CONFLICT ("client_id") DO UPDATE SET "client_id" = EXCLUDED."client_id" RETURNING "registration_id" INTO NEW."registration_id"\x3b
  END IF\x3b
  RETURN NEW\x3b
END';
CREATE TRIGGER "client_identified" BEFORE INSERT ON "client" FOR EACH ROW EXECUTE FUNCTION "client_identify"();
CREATE FUNCTION "client_forget"() RETURNS trigger LANGUAGE plpgsql AS E'BEGIN
  DELETE FROM "client_identity" WHERE "client_id" = OLD."client_id"\x3b
  DELETE FROM "pairing" WHERE "requester" = OLD."client_id" OR "holder" = OLD."client_id"\x3b
  RETURN OLD\x3b
END';
CREATE TRIGGER "client_forgotten" BEFORE DELETE ON "client" FOR EACH ROW EXECUTE FUNCTION "client_forget"();

-- What is there already: names stand for who bears them now, or for who will first. A row that is no JSON lists nobody, and is no obstacle.
CREATE FUNCTION "names_listed"("metadata" text, "member" text) RETURNS SETOF text LANGUAGE plpgsql AS E'BEGIN
  IF strpos("metadata", "member") = 0 THEN RETURN\x3b END IF\x3b
  RETURN QUERY SELECT jsonb_array_elements_text("metadata"::jsonb->"member")\x3b
EXCEPTION WHEN others THEN RETURN\x3b
END';
INSERT INTO "client_identity" ("client_id", "registration_id")
  SELECT "name", replace(gen_random_uuid()::text, '-', '') FROM (
    SELECT "client_id" AS "name" FROM "client"
    UNION SELECT names_listed("metadata", 'alt_cnf_holders') FROM "client"
    UNION SELECT names_listed("metadata", 'alt_cnf_requesters') FROM "client"
    UNION SELECT names_listed("metadata", 'clients') FROM "trusted_issuer"
  ) AS "named";
UPDATE "client" SET "registration_id" = "i"."registration_id" FROM "client_identity" AS "i" WHERE "i"."client_id" = "client"."client_id";
UPDATE "client" SET "listed_clients" = (SELECT jsonb_agg(jsonb_build_array("i"."client_id", "i"."registration_id"))::text FROM "client_identity" AS "i" WHERE "i"."client_id" IN (SELECT names_listed("client"."metadata", 'alt_cnf_holders') UNION SELECT names_listed("client"."metadata", 'alt_cnf_requesters'))) WHERE strpos("metadata", '"alt_cnf_') > 0;
UPDATE "trusted_issuer" SET "listed_clients" = (SELECT jsonb_agg(jsonb_build_array("i"."client_id", "i"."registration_id"))::text FROM "client_identity" AS "i" WHERE "i"."client_id" IN (SELECT names_listed("trusted_issuer"."metadata", 'clients'))) WHERE strpos("metadata", '"clients"') > 0;
DROP FUNCTION "names_listed"(text, text);
DELETE FROM "pairing" WHERE NOT EXISTS (SELECT FROM "client" WHERE "client_id" = "requester") OR NOT EXISTS (SELECT FROM "client" WHERE "client_id" = "holder");
UPDATE "pairing" SET "consent" = "id", "requester_id" = (SELECT "registration_id" FROM "client" WHERE "client_id" = "requester"), "holder_id" = (SELECT "registration_id" FROM "client" WHERE "client_id" = "holder");
UPDATE "credential_use" SET "client_id" = "r"."id" FROM "resource_server" AS "r" WHERE "r"."client_id" = "credential_use"."client_id" AND "kind" = 'secret';
UPDATE "credential_use" SET "client_id" = "c"."registration_id" FROM "client" AS "c" WHERE "c"."client_id" = "credential_use"."client_id";
