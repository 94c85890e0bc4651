-- CreateTable
CREATE TABLE "registry_state" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "value" TEXT NOT NULL
);

-- By hand, as are the triggers: a later migration that rebuilds one of the two tables must make its triggers again.
INSERT INTO "registry_state" ("id", "value") VALUES (1, '0');
CREATE TRIGGER "client_created" AFTER INSERT ON "client" BEGIN UPDATE "registry_state" SET "value" = "value" + 1; END;
CREATE TRIGGER "client_changed" AFTER UPDATE ON "client" BEGIN UPDATE "registry_state" SET "value" = "value" + 1; END;
CREATE TRIGGER "client_removed" AFTER DELETE ON "client" BEGIN UPDATE "registry_state" SET "value" = "value" + 1; END;
CREATE TRIGGER "resource_server_created" AFTER INSERT ON "resource_server" BEGIN UPDATE "registry_state" SET "value" = "value" + 1; END;
CREATE TRIGGER "resource_server_changed" AFTER UPDATE ON "resource_server" BEGIN UPDATE "registry_state" SET "value" = "value" + 1; END;
CREATE TRIGGER "resource_server_removed" AFTER DELETE ON "resource_server" BEGIN UPDATE "registry_state" SET "value" = "value" + 1; END;
