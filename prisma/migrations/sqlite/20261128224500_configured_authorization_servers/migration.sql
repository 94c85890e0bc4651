-- By hand.

-- Other authorization servers change the one row of cache_version too: a declared configuration is
-- applied to the state that it was compared with, or not at all.
CREATE TRIGGER "authorization_server_created" AFTER INSERT ON "authorization_server" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "authorization_server_changed" AFTER UPDATE ON "authorization_server" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
CREATE TRIGGER "authorization_server_removed" AFTER DELETE ON "authorization_server" BEGIN UPDATE "cache_version" SET "value" = "value" + 1; END;
