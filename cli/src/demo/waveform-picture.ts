import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';

const WIDTH = 1600;
const ROW_HEIGHT = 170;
const ROW_SECONDS = 12;
const MARGIN = { top: 70, left: 30, right: 30, bottom: 30 };
const COLORS = {
  paper: '#0f1220',
  wave: '#7aa2ff',
  word: '#e6e9f5',
  edge: '#3a4266',
  title: '#ffffff',
  note: '#9aa3c7',
};

interface TimedWord {
  text: string;
  startMs: number;
  endMs: number;
}

interface Picture {
  title: string;
  note: string;
  /** Mono samples, -1 to 1. */
  samples: Float32Array;
  sampleRate: number;
  words: readonly TimedWord[];
}

/** Draws the waveform in rows of twelve seconds, each word above the sound that it names, as a PNG. */
export function waveformPicture(picture: Picture): Uint8Array {
  const seconds = picture.samples.length / picture.sampleRate;
  const rows = Math.max(1, Math.ceil(seconds / ROW_SECONDS));
  const height = MARGIN.top + rows * ROW_HEIGHT + MARGIN.bottom;
  const body = Array.from({ length: rows }, (_, row) => drawRow(picture, row)).join('');
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="DejaVu Sans">` +
    `<rect width="100%" height="100%" fill="${COLORS.paper}"/>` +
    `<text x="${MARGIN.left}" y="34" font-size="22" fill="${COLORS.title}">${escapeXml(picture.title)}</text>` +
    `<text x="${MARGIN.left}" y="56" font-size="14" fill="${COLORS.note}">${escapeXml(picture.note)}</text>${body}</svg>`;
  // The font comes along: a bare machine may have none. System fonts fill in scripts that it lacks.
  const font = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf');
  return new Resvg(svg, { font: { fontFiles: [font], loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans' } })
    .render()
    .asPng();
}

function drawRow({ samples, sampleRate, words }: Picture, row: number): string {
  const top = MARGIN.top + row * ROW_HEIGHT;
  const middle = top + ROW_HEIGHT * 0.6;
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const fromMs = row * ROW_SECONDS * 1000;
  const toMs = fromMs + ROW_SECONDS * 1000;
  const x = (ms: number) => MARGIN.left + ((ms - fromMs) / (ROW_SECONDS * 1000)) * plotWidth;
  const samplesPerPixel = (ROW_SECONDS * sampleRate) / plotWidth;
  let path = '';
  for (let pixel = 0; pixel < plotWidth; pixel++) {
    const start = Math.floor(row * ROW_SECONDS * sampleRate + pixel * samplesPerPixel);
    if (start >= samples.length) break;
    let peak = 0;
    for (const sample of samples.subarray(start, start + Math.ceil(samplesPerPixel)))
      peak = Math.max(peak, Math.abs(sample));
    const half = Math.max(0.5, Math.min(1, peak) * ROW_HEIGHT * 0.3).toFixed(1);
    path += `M${MARGIN.left + pixel} ${middle - Number(half)}v${2 * Number(half)}`;
  }
  const labels = words
    .filter((word) => word.endMs > fromMs && word.startMs < toMs)
    .map((word, index) => {
      const left = x(Math.max(word.startMs, fromMs));
      const right = x(Math.min(word.endMs, toMs));
      // Neighbours alternate between two lines, so that short words stay legible.
      const y = top + (index % 2 === 0 ? 18 : 36);
      return (
        `<line x1="${left}" x2="${left}" y1="${y + 3}" y2="${top + ROW_HEIGHT - 8}" stroke="${COLORS.edge}"/>` +
        `<line x1="${left}" x2="${right}" y1="${y + 3}" y2="${y + 3}" stroke="${COLORS.wave}"/>` +
        `<text x="${left + 2}" y="${y}" font-size="13" fill="${COLORS.word}">${escapeXml(word.text)}</text>`
      );
    })
    .join('');
  return `<path d="${path}" stroke="${COLORS.wave}" stroke-width="1"/>${labels}<text x="${MARGIN.left}" y="${top + ROW_HEIGHT - 2}" font-size="11" fill="${COLORS.note}">${(fromMs / 1000).toFixed(0)} s</text>`;
}

/** Also drops what XML cannot hold at all (control characters). */
function escapeXml(text: string): string {
  return text
    .replace(/[^\P{Cc}\t]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
