import { readFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import cliProgress from 'cli-progress';
import pc from 'picocolors';
import { cloneVoice } from '../client/clone-voice.ts';
import type { GraphClient } from '../client/graph-client.ts';
import { UserErrors } from '../client/refuse.ts';
import { followGeneration, orderSpeech } from '../client/speak.ts';
import {
  DeleteVoiceDocument,
  GenerationAlignmentDocument,
  GenerationByIdDocument,
  ModelsDocument,
  MyVoicesDocument,
  type AudioFormat,
  type GenerationByIdQuery,
  type VoiceJobFieldsFragment,
} from '../generated/graphql.ts';
import { CommandError } from '../run-command.ts';
import { withSystem } from '../start/with-system.ts';
import { sampleRecording } from './sample-recording.ts';
import { waveformPicture } from './waveform-picture.ts';

const DEFAULT_TEXT =
  'Hello! A moment ago this voice was only a recording. Now it says whatever you write, while you watch each sentence arrive. ' +
  'The pitch, the pace and the colour of the voice were measured and matched on this very machine, and you pay for nothing but the characters that were spoken.';

const FORMATS: Record<string, AudioFormat> = {
  '.mp3': 'MP3_44100_128',
  '.ogg': 'OGG_VORBIS_44100',
  '.wav': 'WAV_44100',
};

/** The voices that the demo made carry this label, so that it can make room for the next one. */
const DEMO_LABEL = { key: 'made-by', value: 'npm run demo' };

interface DemoOptions {
  text?: string | undefined;
  file?: string | undefined;
  out?: string | undefined;
}

type Generation = NonNullable<GenerationByIdQuery['generation']>;

/** Records → voice → speech → file and picture, through the graph alone. */
export async function runDemo(options: DemoOptions, recordings: string[]): Promise<void> {
  const out = options.out ?? 'demo.mp3';
  const format = FORMATS[extname(out).toLowerCase()];
  if (!format) throw new CommandError(`--out ${out}: the name must end in one of ${Object.keys(FORMATS).join(' ')}`, 2);
  if (options.text !== undefined && options.file !== undefined)
    throw new CommandError('Give --text or --file, not both.', 2);
  const text = options.file === undefined ? (options.text ?? DEFAULT_TEXT) : await readFile(options.file, 'utf8');
  const sources = recordings.length > 0 ? recordings : [sampleRecording('flac')];

  await withSystem({ email: 'demo@timbre.local' }, async (client) => {
    const { models } = await client.execute(ModelsDocument, {});
    const model = models?.[0];
    if (!model) {
      throw new CommandError('No speech engine is installed. Install the local one: npm install --include=optional', 2);
    }
    const bars = new cliProgress.MultiBar(
      {
        format: `  {job} ${pc.cyan('{bar}')} {percentage}%  {detail}`,
        hideCursor: true,
        clearOnComplete: false,
        barsize: 32,
      },
      cliProgress.Presets.shades_classic,
    );
    let voice: VoiceJobFieldsFragment;
    let generation: Generation;
    try {
      voice = await clone(client, bars, sources);
      generation = await speak(client, bars, { voiceId: voice.id, modelId: model.id, text, format });
    } finally {
      bars.stop();
    }
    await save(client, { out, text, voice, generation });
  });
}

async function clone(
  client: GraphClient,
  bars: cliProgress.MultiBar,
  recordings: string[],
): Promise<VoiceJobFieldsFragment> {
  const bar = jobBar(bars, 'cloning', 100);
  const request = {
    name: 'Demo voice',
    speakerName: 'The speaker of the recording',
    recordings,
    labels: [DEMO_LABEL],
    onProgress: (fitting: number) => bar(Math.round(fitting * 100), 'fitting pitch, pace and timbre'),
  };
  const cloned = await cloneVoice(client, request).catch(async (error: unknown) => {
    const full = error instanceof UserErrors && error.errors.some((each) => each.code === 'VOICE_LIMIT');
    if (!full || !(await deleteOldestDemoVoice(client))) throw error;
    return cloneVoice(client, request);
  });
  bar(100, 'ready');
  return cloned;
}

/** A bar that names its job; a payload is replaced as a whole, so the name goes along with every update. */
function jobBar(bars: cliProgress.MultiBar, job: string, total: number): (value: number, detail: string) => void {
  const label = job.padEnd(9);
  const bar = bars.create(total, 0, { job: label, detail: '' });
  return (value, detail) => bar.update(value, { job: label, detail });
}

/** @returns whether there was one */
async function deleteOldestDemoVoice(client: GraphClient): Promise<boolean> {
  const { me } = await client.execute(MyVoicesDocument, {
    first: 100,
    after: null,
    filter: { kind: 'CLONED_INSTANT' },
  });
  const oldest = me?.voices?.edges
    .map((edge) => edge.node)
    .findLast((voice) => voice.labels.some((label) => label.value === DEMO_LABEL.value));
  if (!oldest) return false;
  await client.execute(DeleteVoiceDocument, { voiceId: oldest.id });
  return true;
}

async function speak(
  client: GraphClient,
  bars: cliProgress.MultiBar,
  request: Parameters<typeof orderSpeech>[1],
): Promise<Generation> {
  const bar = jobBar(bars, 'speaking', request.text.length);
  const ordered = performance.now();
  let firstAudioMs: number | undefined;
  const id = await orderSpeech(client, request);
  for await (const event of followGeneration(client, id)) {
    if (event.__typename === 'GenerationProgressed') {
      bar(event.progress.charactersDone, event.state.toLowerCase());
    } else if (event.__typename === 'GenerationChunkReady') {
      firstAudioMs ??= performance.now() - ordered;
    }
  }
  const { generation } = await client.execute(GenerationByIdDocument, { id });
  if (generation?.state !== 'SUCCEEDED') {
    throw new CommandError(
      `The generation ended ${generation?.state ?? 'unknown'}: ${generation?.failure?.code ?? ''} ${generation?.failure?.message ?? ''}`,
    );
  }
  const latency = firstAudioMs === undefined ? 'from the cache' : `first audio after ${Math.round(firstAudioMs)} ms`;
  bar(request.text.length, latency);
  return generation;
}

async function save(
  client: GraphClient,
  {
    out,
    text,
    voice,
    generation,
  }: { out: string; text: string; voice: VoiceJobFieldsFragment; generation: Generation },
): Promise<void> {
  if (!generation.audio) throw new Error('The finished generation has no audio.');
  const response = await fetch(generation.audio.url);
  if (!response.ok) throw new Error(`Download answered ${response.status}.`);
  const bytes = Buffer.from(await response.arrayBuffer());
  await writeFile(out, bytes);
  const { generation: aligned } = await client.execute(GenerationAlignmentDocument, {
    id: generation.id,
    unit: 'WORD',
    fromChar: 0,
    first: 500,
  });
  const heard = await decodeRecording(bytes, { maxSeconds: 3600, maxBytes: bytes.byteLength });
  const seconds = (generation.audio.durationMs / 1000).toFixed(1);
  const picture = out.replace(/\.\w+$/, '.png');
  await writeFile(
    picture,
    waveformPicture({
      title: `${voice.name}: ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`,
      note: `${seconds} s, ${generation.characterCount} characters`,
      samples: heard.samples,
      sampleRate: heard.sampleRate,
      words: aligned?.alignment ?? [],
    }),
  );
  const { match } = voice;
  const { charge } = generation;
  const percent = match ? Math.round((1 - match.timbreAfter / match.timbreBefore) * 100) : 0;
  const lines = [
    '',
    `${pc.green('✔')} ${pc.bold(out)}  ${seconds} s of speech, ${(generation.audio.sizeBytes / 1024).toFixed(0)} KB`,
    `${pc.green('✔')} ${pc.bold(picture)}  its waveform and word timings`,
    '',
    pc.bold('How close the voice is to the recording'),
    ...(match
      ? [
          `  pitch (F0)        ${signed(match.f0ErrorSemitones)} semitones`,
          `  pitch range       ${signed(match.rangeErrorSemitones)} semitones`,
          `  pace              × ${match.paceRatio.toFixed(2)}`,
          `  timbre (MFCC)     ${match.timbreBefore.toFixed(2)} before, ${match.timbreAfter.toFixed(2)} after (${percent} % closer)`,
        ]
      : ['  not measured']),
    '',
    `${pc.bold('Charged')}  ${charge?.committed ?? 0} credits (${charge?.reserved ?? 0} reserved, ${charge?.released ?? 0} released)`,
  ];
  console.log(lines.join('\n'));
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
}
