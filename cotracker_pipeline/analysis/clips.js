const { fps, colours, videos } = JSON.parse(document.getElementById("clips").textContent);
const TRAIL = 6;
const SIDE = 480;
const state = { video: 0, time: 0, playing: true, truth: true };

function add(parent, kind, properties = {}) {
  const element = Object.assign(document.createElement(kind), properties);
  parent.append(element);
  return element;
}

function choice(parent, label, names, chosen, change) {
  const select = add(add(parent, "label", { textContent: `${label} ` }), "select");
  names.forEach((name, index) => add(select, "option", { value: index, textContent: name }));
  select.selectedIndex = chosen;
  select.addEventListener("change", () => change(select.selectedIndex));
  return select;
}

const player = document.getElementById("player");
const controls = add(player, "div", { className: "controls" });
const play = add(controls, "button", { type: "button" });
const slider = add(controls, "input", { type: "range", min: 0, value: 0, ariaLabel: "frame" });
const clock = add(controls, "span");
choice(controls, "clip", videos.map(({ name }) => name), 0, (index) => open(index));
const truth = add(add(controls, "label"), "input", { type: "checkbox", checked: true });
truth.after(" truth");
const sides = add(player, "div", { className: "sides" });
const names = Object.keys(videos[0].variants);
const panes = [0, Math.min(1, names.length - 1) && names.length - 1].map((first) => {
  const figure = add(sides, "figure");
  const head = add(figure, "div", { className: "controls" });
  const pane = { variant: names[first] };
  pane.select = choice(head, "variant", names, first, (index) => {
    pane.variant = names[index];
    draw();
  });
  pane.error = add(head, "span");
  pane.canvas = add(figure, "canvas");
  return pane;
});

play.addEventListener("click", () => setPlaying(!state.playing));
slider.addEventListener("input", () => {
  setPlaying(false);
  state.time = Number(slider.value);
  draw();
});
truth.addEventListener("change", () => {
  state.truth = truth.checked;
  draw();
});

function setPlaying(playing) {
  state.playing = playing;
  play.textContent = playing ? "Pause" : "Play";
}

async function open(index) {
  const video = videos[index];
  video.pictures ??= await Promise.all(
    video.frames.map(async (source) => {
      const picture = new Image();
      picture.src = source;
      await picture.decode();
      return picture;
    }),
  );
  Object.assign(state, { video: index, time: 0 });
  slider.max = video.frames.length - 1;
  for (const { canvas } of panes) {
    const scale = SIDE / Math.max(video.width, video.height);
    canvas.width = Math.round(video.width * scale);
    canvas.height = Math.round(video.height * scale);
  }
  draw();
}

function draw() {
  const video = videos[state.video];
  slider.value = state.time;
  clock.textContent = `frame ${state.time + 1} of ${video.frames.length}`;
  for (const pane of panes) drawPane(video, pane);
}

function drawPane(video, pane) {
  const { canvas } = pane;
  const context = canvas.getContext("2d");
  const { tracks, visible } = video.variants[pane.variant];
  const place = (pair) => pair && [pair[0] * canvas.width, pair[1] * canvas.height];
  context.drawImage(video.pictures[state.time], 0, 0, canvas.width, canvas.height);
  const errors = [];
  tracks.forEach((track, index) => {
    const now = place(track[state.time]);
    if (!now) return;
    const colour = colours[index % colours.length];
    const past = track.slice(Math.max(0, state.time - TRAIL), state.time + 1).filter(Boolean).map(place);
    line(context, past, colour, 1.5);
    const real = place(video.truth[index][state.time]);
    const seen = video.visible[index][state.time] === "1";
    if (seen) errors.push((Math.hypot(now[0] - real[0], now[1] - real[1]) * video.width) / canvas.width);
    if (state.truth) {
      line(context, [now, real], colour, 1);
      cross(context, real, seen);
    }
    dot(context, now, colour, visible[index][state.time] === "1");
  });
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  pane.error.textContent = errors.length ? `mean error ${mean.toFixed(1)} pixels` : "";
}

function line(context, points, colour, width) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  Object.assign(context, { strokeStyle: colour, lineWidth: width });
  context.stroke();
}

function cross(context, [x, y], seen) {
  context.save();
  context.setLineDash(seen ? [] : [2, 2]);
  for (const [colour, width] of [["black", 3.5], ["white", 1.5]]) {
    if (!seen && colour === "black") continue;
    line(context, [[x - 5, y], [x + 5, y]], colour, width);
    line(context, [[x, y - 5], [x, y + 5]], colour, width);
  }
  context.restore();
}

function dot(context, [x, y], colour, seen) {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  Object.assign(context, { strokeStyle: seen ? "black" : colour, fillStyle: colour, lineWidth: seen ? 1 : 2 });
  if (seen) context.fill();
  context.stroke();
}

setPlaying(!matchMedia("(prefers-reduced-motion: reduce)").matches);
setInterval(() => {
  if (!state.playing || !videos[state.video].pictures) return;
  state.time = (state.time + 1) % videos[state.video].frames.length;
  draw();
}, 1000 / fps);
await open(0);
