-- CreateTable
CREATE TABLE "write_check" (
    "id" INTEGER NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "write_check_pkey" PRIMARY KEY ("id")
);
