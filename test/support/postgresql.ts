import { PrismaPg } from '@prisma/adapter-pg';

/** Runs SQL on the server that `TEST_DATABASE_URL` names. */
export async function onPostgresql(script: string): Promise<void> {
  const connectionString = process.env['TEST_DATABASE_URL'] ?? '';
  const connection = await new PrismaPg({ connectionString }).connect();
  try {
    await connection.executeScript(script);
  } finally {
    await connection.dispose();
  }
}
