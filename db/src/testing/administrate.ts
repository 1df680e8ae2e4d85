import { Client } from 'pg';

/** Runs one statement that needs a connection of its own, such as CREATE DATABASE. */
export async function administrate(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
