import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The password of role `timbre`, made once and kept in `<dataDir>/keys/postgres` for its owner's eyes only. */
export async function clusterPassword(dataDir: string): Promise<{ password: string; created: boolean }> {
  const keys = join(dataDir, 'keys');
  const file = join(keys, 'postgres');
  await mkdir(keys, { recursive: true, mode: 0o700 });
  const existing = await readFile(file, 'utf8').catch(() => '');
  if (existing !== '') return { password: existing.trim(), created: false };
  const staging = `${file}.${process.pid}`;
  await writeFile(staging, randomBytes(24).toString('hex'), { mode: 0o600 });
  try {
    await link(staging, file); // fails where another process was first, whose password then counts
    return { password: (await readFile(file, 'utf8')).trim(), created: true };
  } catch {
    return { password: (await readFile(file, 'utf8')).trim(), created: false };
  } finally {
    await rm(staging, { force: true });
  }
}
