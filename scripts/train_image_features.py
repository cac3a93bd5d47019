"""Train the network of `reconstruction/image_features.py` on renders of random people of the embedded template.

usage: python scripts/train_image_features.py render FOLDER [--people N] [--jobs N] [--seed N]
       python scripts/train_image_features.py learn FOLDER [--steps N] [--rate R] [--seed N] [--start FILE]

`render` writes crops with their truth to FOLDER, 50 people a file (2 MB); those that are there are not made again.
`learn` teaches the network to say shape and motion from the crops and writes it to templates/. It reads the folder anew
every `ROUND` steps, so that both can run side by side. The people of every twentieth file are only looked at.

With `--taught`, the network that it goes on from (`--start`) is its teacher, which looks at every picture twice.

The network that ships was learnt in seven goes, each from where the last ended (`--start`): 3,200, 5,000 and 4,500
steps without residual blocks on 32,000 pictures of 8,000 people, in which lips never closed farther than the jaw had
opened; then, with the blocks, 18,000 steps at a rate of 2.5e-3 on these and 8,000 pictures of 2,000 people more, half
of whom closed their lips at will; then 5,000 steps at 6e-4 on 17,989 pictures of 4,500 other people (seed 902),
`--taught`; then 2,100 steps at 1.5e-3 on 16,590 pictures of 4,400 people (seed 903) with lashes, brows that follow the
bone only roughly and lips that may have the skin's colour, and 4,000 at the same rate on 35,576, these and others'
(seed 904). The first two gave all of motion the same weight, and all but the last three counted the shape of the whole
head, not what can be seen of it.

The last two goes are about worlds other than the renders' own. Until then every brow lay where the skull's shape put
it, and the network had come to read shape from brows: on films of another renderer, painting the brows over changed
what it said by 0.74 of the standard deviation over people, and what it said was off by 0.49 for all people alike; then
by 0.36. More people of the same kind, the last go, leave that as it is and take 0.01 off the rest of 0.57; R2 of shape
on people left out of seed 903 rises from 0.610 to 0.630.
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch.nn import functional

from reconstruction.chart import front
from reconstruction.detectors import BUNDLED
from reconstruction.image_features import FILE, KIND, SIDE, VERSION, FeatureNet, crop, read_network
from reconstruction.motion import motion_names
from reconstruction.photographer import Photographer, look_twice, pose_people, random_camera, random_motion
from reconstruction.processes import process_pool
from reconstruction.rendering import vertex_normals
from reconstruction.storage import write_arrays
from reconstruction.template import Template, load_template

ROOT = Path(__file__).resolve().parents[1]
BLOCK, FRAMES, PICTURE = 50, 4, 320  # people a file, frames each, pixels
BATCH, DECAY = 128, 0.02
SHAPE = 2.0  # weight of shape where motion has 1
HELD, ROUND = 20, 150
WIDTHS, BLOCKS, HIDDEN = (16, 32, 64, 128), (0, 1, 1), 256


def render(path: Path, first: int, seed: int) -> None:
    """`BLOCK` people from `first` on: crops (N, SIDE, SIDE), shape (N, S), motion (N, M)."""
    template = load_template()
    photographer = Photographer(template, PICTURE)
    rows = []
    with BUNDLED.open(tracking=True, min_confidence=0.3) as finder:
        for number in range(first, first + BLOCK):
            rng = np.random.default_rng([seed, number])
            person = photographer.person(random_motion, FRAMES, rng)
            camera_matrix, poses = random_camera(template, FRAMES, rng, PICTURE)
            for t in range(FRAMES):
                picture = photographer.photograph(
                    person.vertices[t], person.colours, camera_matrix, poses[t], photographer.scene(rng), rng
                )
                faces = look_twice(finder, picture)
                if faces:
                    rows.append((crop(picture, faces[0].points), person.shape, person.motion[t]))
    crops, shapes, motions = (np.array(column) for column in zip(*rows, strict=True))
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, crops=crops, shape=shapes.astype(np.float32), motion=motions.astype(np.float32))
    unfinished.rename(path)


def mirrored(template: Template) -> np.ndarray:
    """(S + M, S + M): what shape and motion of a person become in a mirror."""
    flip = np.array([-1, 1, 1])
    skin = template.skin
    directions = template.shapedirs
    there = (directions[template.mirror] * flip[:, None])[skin].reshape(-1, template.n_shape)
    shape = np.linalg.lstsq(directions[skin].reshape(-1, template.n_shape), there, rcond=None)[0]
    names = motion_names(template)
    motion = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        other = name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        if name.endswith(("_x", "_y")):
            other = {"left_eye": "right_eye", "right_eye": "left_eye"}.get(name[:-2], name[:-2]) + name[-2:]
        motion[names.index(other), i] = -1 if name.endswith("_y") else 1
    n = template.n_shape
    out = np.zeros((n + len(names), n + len(names)))
    out[:n, :n], out[n:, n:] = shape, motion
    return out


def seen_shape(template: Template) -> np.ndarray:
    """(S, S): shape to what of it a picture can tell and a comparison with a scan asks for.

    That is how far the surface between jaw and hairline goes along its normals, beyond size, place and turn of the
    head, which no picture tells. A tenth of the weight is left to the whole head's shape.
    """
    v, face = template.v_template, front(template)
    normals = vertex_normals(v, template.faces)[face]
    along = np.einsum("vc,vcs->vs", normals, template.shapedirs[face])
    placed = np.column_stack([normals, np.cross(v[face], normals), np.einsum("vc,vc->v", v[face], normals)])
    along = along - placed @ np.linalg.lstsq(placed, along, rcond=None)[0]
    form, size = along.T @ along, np.sqrt((template.shapedirs[template.skin] ** 2).sum((0, 1)))
    form = 0.9 * form / np.trace(form) + 0.1 * np.diag(size / size.sum())
    values, vectors = np.linalg.eigh(form)
    return vectors * np.sqrt(values)


def disturb(crops: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Crops (B, 1, SIDE, SIDE) as other cameras, detectors, hair and hands would give them."""
    many = len(crops)

    def uniform(low: float, high: float, *size: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(many, *(size or (1, 1, 1)), generator=rng)

    def some(share: float) -> torch.Tensor:
        return (torch.rand(many, 1, 1, 1, generator=rng) < share).float()

    turn, size, shift = uniform(-0.05, 0.05, 1), uniform(0.95, 1.05, 1), uniform(-0.04, 0.04, 2)
    matrix = torch.stack([size * turn.cos(), -size * turn.sin(), size * turn.sin(), size * turn.cos()], -1)
    grid = functional.affine_grid(
        torch.cat([matrix.view(many, 2, 2), shift[..., None]], 2), list(crops.shape), align_corners=False
    )
    x = functional.grid_sample(crops, grid, padding_mode="border", align_corners=False)
    x = 255 * (x / 255).clamp(1e-3, 1) ** uniform(0.6, 1.6)
    place = torch.linspace(-1, 1, SIDE)
    across, down = place[None, None, None, :], place[None, None, :, None]
    shade = 1 + uniform(-0.3, 0.3) * across + uniform(-0.3, 0.3) * down  # light that falls off
    patches = functional.interpolate(
        torch.randn(many, 1, 6, 6, generator=rng), size=SIDE, mode="bilinear", align_corners=False
    )  # of lighter and darker skin, or of light
    x = x * shade * (uniform(0, 0.25) * patches).exp()
    curtain = across * torch.where(uniform(-1, 1) < 0, -1.0, 1.0) > uniform(0.45, 0.9) + uniform(-0.3, 0.3) * down
    x = torch.where((curtain.float() * some(0.3)) > 0, uniform(5, 120), x)  # hair at one side
    lump = ((across - uniform(-1, 1)) / uniform(0.1, 0.5)) ** 2 + ((down - uniform(-0.5, 1)) / uniform(0.1, 0.5)) ** 2
    x = torch.where(((lump < 1).float() * some(0.1)) > 0, uniform(20, 220) + 10 * across, x)  # a hand, a cup
    blurred = functional.avg_pool2d(x, 3, 1, 1)
    x = x + some(0.4) * uniform(-0.8, 1) * (blurred - x)  # blurred or sharpened
    local = functional.interpolate(functional.avg_pool2d(x, 16), size=SIDE, mode="bilinear", align_corners=False)
    x = x - some(0.3) * uniform(0, 0.7) * (local - local.mean((1, 2, 3), keepdim=True))  # as cameras lift shadows
    return x + uniform(0, 6) * torch.randn(x.shape, generator=rng)


def read(files: list[Path]) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops (N, SIDE, SIDE) uint8 and the truth (N, S + M)."""
    parts = [np.load(path, allow_pickle=False) for path in files]
    truth = np.concatenate([np.hstack([part["shape"], part["motion"]]) for part in parts])
    return torch.from_numpy(np.concatenate([part["crops"] for part in parts])), torch.from_numpy(truth)


def learn(
    folder: Path, steps: int, rate: float, seed: int, progress: Progress, start: FeatureNet | None, taught: bool
) -> tuple[FeatureNet, int]:
    """The network, learnt anew or from `start` on, and how many pictures there were in the end."""
    template = load_template()
    n, names = template.n_shape, motion_names(template)
    usual = np.array(random_motion(template, 20_000, np.random.default_rng(seed)))
    mean = torch.from_numpy(np.concatenate([np.zeros(n), usual.mean(0)])).float()
    sd = torch.from_numpy(np.concatenate([np.ones(n), usual.std(0)])).float()
    # shape counts by what can be seen of it, half of motion's weight by what it moves
    seen = torch.from_numpy(seen_shape(template)).float()
    moved = pose_people(template, np.zeros((len(names), n)), np.diag(usual.std(0))) - template.v_template
    reach = np.sqrt((moved[:, template.skin] ** 2).sum((1, 2)))
    weight = torch.from_numpy(0.5 / len(names) + 0.5 * reach / reach.sum()).float()
    mirror = torch.from_numpy(mirrored(template)).float().T
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    network = (start or FeatureNet(len(sd), WIDTHS, BLOCKS, HIDDEN)).to(memory_format=torch.channels_last)
    network.mirror.copy_(sd[:, None] * mirror / sd)
    teacher = copy.deepcopy(network).eval() if taught else None
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.15)
    short = torch.backends.cpu.get_cpu_capability() == "AVX512"  # twice as fast there, ten times slower elsewhere
    known: dict[Path, torch.Tensor] = {}
    task = progress.add_task("learning", total=steps)
    for first in range(0, steps, ROUND):
        files = sorted(path for path in folder.glob("*.npz") if not path.stem.endswith(".part"))
        held, held_truth = read([path for path in files if _is_held(path)])
        shown = [path for path in files if not _is_held(path)]
        crops, truth = read(shown)
        if teacher:  # half of the aim is what it says: pictures of new people that it cannot know by heart
            for path in shown:
                if path not in known:
                    with torch.no_grad():
                        known[path] = teacher.twice(read([path])[0].float()[:, None]) * sd + mean
            truth = (truth + torch.cat([known[path] for path in shown])) / 2
        network.train()
        total = 0.0
        for step in range(first, min(first + ROUND, steps)):
            rows = torch.randint(len(crops), (BATCH,), generator=rng)
            x, y = crops[rows].float()[:, None], truth[rows]
            flip = torch.rand(BATCH, generator=rng) < 0.5
            x[flip], y[flip] = x[flip].flip(3), y[flip] @ mirror
            x = disturb(x, rng).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=short):
                said = network(x)
            error = said.float() - (y - mean) / sd
            loss = SHAPE * (error[:, :n] @ seen).square().sum(1).mean() + (error[:, n:].square() * weight).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
            progress.update(task, completed=step + 1)
        shape, motion = _judge(network, held, (held_truth - mean) / sd, seen)
        progress.console.print(
            f"{step + 1} steps, {len(crops)} pictures: loss {total / (step + 1 - first):.3f}, R2 on people left out: "
            f"shape {shape:.3f} (of the face as it is seen), motion {motion:.3f}"
        )
    return network.eval(), len(crops)


def _is_held(path: Path) -> bool:
    return int(path.stem.split("-")[1]) // BLOCK % HELD == 0


def _judge(network: FeatureNet, crops: torch.Tensor, truth: torch.Tensor, seen: torch.Tensor) -> tuple[float, float]:
    """R2 of the seen shape, and the mean of motion's."""
    network.eval()
    with torch.no_grad():
        said = torch.cat([network(part.float()[:, None]) for part in crops.split(BATCH)])
    n, error, about_mean = len(seen), said - truth, truth - truth.mean(0)
    shape = 1 - (error[:, :n] @ seen).square().sum() / (about_mean[:, :n] @ seen).square().sum()
    return float(shape), float((1 - error[:, n:].square().mean(0) / truth[:, n:].var(0)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("render", "learn"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=12_000)
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=3e-3, help="of learning, at its highest")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=901)
    parser.add_argument("--start", type=Path, help="a network to go on from")
    parser.add_argument("--taught", action="store_true", help="by the network that it goes on from")
    parser.add_argument("--out", type=Path, default=ROOT / "templates" / FILE)
    arguments = parser.parse_args()
    if arguments.taught and not arguments.start:
        parser.error("expected --start with --taught: the network that it names is the teacher")
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    with Progress() as progress:
        if arguments.task == "render":
            firsts = range(0, arguments.people, BLOCK)
            task = progress.add_task("rendering", total=len(firsts))
            with process_pool(arguments.jobs) as pool:
                files = {first: folder / f"{arguments.seed}-{first:06d}.npz" for first in firsts}
                todo = [(path, first, arguments.seed) for first, path in files.items() if not path.exists()]
                progress.advance(task, len(files) - len(todo))
                for done in [pool.submit(render, *each) for each in todo]:
                    done.result()
                    progress.advance(task)
            return
        start = read_network(arguments.start) if arguments.start else None
        network, pictures = learn(
            folder, arguments.steps, arguments.rate, arguments.seed, progress, start, arguments.taught
        )
    arrays = {name: value.numpy() for name, value in network.state_dict().items() if "num_batches" not in name}
    arrays = {name: np.ascontiguousarray(value, np.float16) for name, value in arrays.items()}
    header = {
        "outputs": network.saying[-1].out_features, "widths": list(WIDTHS), "blocks": list(BLOCKS), "hidden": HIDDEN,
        "template_sha256": load_template().sha256, "pictures": pictures, "steps": arguments.steps,
        "seed": arguments.seed,
    }  # fmt: skip
    write_arrays(arguments.out, KIND, VERSION, arrays, header)


if __name__ == "__main__":
    main()
