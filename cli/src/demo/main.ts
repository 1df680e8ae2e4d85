import { runDemo } from './run-demo.ts';
import { runCommand } from '../run-command.ts';

await runCommand({
  usage: `npm run demo -- [recording…] [options]

Clones a voice from recordings of one speaker, makes it speak and writes the audio and a picture of it.
Starts the system if it is not running.

  recording…      wav, flac, mp3, ogg, opus, m4a or webm (default: the recording in the npm package audio-lena)
  --text T        what the voice says
  --file F        the same, read from a file
  --out PATH      where the audio goes (default: demo.mp3); the picture goes beside it, as .png
                  .mp3, .ogg and .wav choose the format`,
  options: { text: { type: 'string' }, file: { type: 'string' }, out: { type: 'string' } },
  allowPositionals: true,
  run: runDemo,
});
