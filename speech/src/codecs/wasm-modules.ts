import { readFile } from 'node:fs/promises';

import { createEncoder } from 'wasm-media-encoders';
import type { WasmMediaEncoder } from 'wasm-media-encoders';

type MimeType = 'audio/mpeg' | 'audio/ogg';

// The package maps "./wasm/mp3.wasm" to a file that is not there; these two names are right.
const FILES: Record<MimeType, string> = {
  'audio/mpeg': 'wasm-media-encoders/wasm/mp3',
  'audio/ogg': 'wasm-media-encoders/wasm/ogg',
};

const modules = new Map<MimeType, WebAssembly.Module>();

/** A fresh encoder. Its WASM is compiled once for the process: each further encoder is only an instance of it. */
export async function createWasmEncoder<T extends MimeType>(mimeType: T): Promise<WasmMediaEncoder<T>> {
  const wasm = modules.get(mimeType) ?? (await readFile(new URL(import.meta.resolve(FILES[mimeType]))));
  return createEncoder(mimeType, wasm, (module) => modules.set(mimeType, module));
}
