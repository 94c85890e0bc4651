-- CreateTable
CREATE TABLE "registry_state" (
    "id" INTEGER NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "registry_state_pkey" PRIMARY KEY ("id")
);

-- By hand, as are the triggers. They are deferred to the commit: before it, whoever changes something keeps nobody waiting.
-- Once a transaction, for a change of many rows: its own number is the new state, and no other transaction has it.
INSERT INTO "registry_state" ("id", "value") VALUES (1, '0');
-- (\x3b is a semicolon: what applies this file ends a statement at each one that it sees.)
CREATE FUNCTION "registry_changed"() RETURNS trigger LANGUAGE plpgsql AS E'BEGIN
  UPDATE "registry_state" SET "value" = pg_current_xact_id()::text WHERE "value" <> pg_current_xact_id()::text\x3b
  RETURN NULL\x3b
END';
CREATE CONSTRAINT TRIGGER "client_changed" AFTER INSERT OR UPDATE OR DELETE ON "client"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registry_changed"();
CREATE CONSTRAINT TRIGGER "resource_server_changed" AFTER INSERT OR UPDATE OR DELETE ON "resource_server"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "registry_changed"();
