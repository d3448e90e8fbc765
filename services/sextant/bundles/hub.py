"""Repositories on the Hugging Face hub: the weight and tokenizer files of one commit."""

import shutil
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from sextant.bundles.progress import ProgressFn
from sextant.bundles.wheels import WANTED_SUFFIXES
from sextant.contract.errors import SourceUnavailable


def download_repository(repository: str, commit: str, destination: Path, progress: ProgressFn) -> None:
    """Downloads the files of `repository` at `commit` that we read into `destination`; pickles are never among them.

    Files that an earlier call finished are not downloaded again. Raises `SourceUnavailable`.
    """
    description = f"downloading {repository}"
    progress(description, 0, None)
    disable_progress_bars()  # the terminal has ours
    patterns = [f"*{suffix}" for suffix in WANTED_SUFFIXES]
    try:
        snapshot_download(repository, revision=commit, local_dir=destination, allow_patterns=patterns)
    except GatedRepoError as error:
        raise SourceUnavailable(f"{repository} is gated: ask for access and log in to the hub") from error
    except RepositoryNotFoundError as error:
        raise SourceUnavailable(f"the hub has no repository {repository}, or does not show it to you") from error
    except RevisionNotFoundError as error:
        raise SourceUnavailable(f"{repository} has no commit {commit}") from error
    except (OSError, ValueError) as error:  # its HTTP errors are OSErrors; their texts may hold signed URLs
        raise SourceUnavailable(f"{repository} could not be downloaded ({type(error).__name__})") from error
    shutil.rmtree(destination / ".cache", ignore_errors=True)  # the hub's book-keeping
    files = [path for path in destination.rglob("*") if path.is_file()]
    if not files:
        raise SourceUnavailable(f"{repository} holds none of {', '.join(patterns)}")
    progress(description, len(files), len(files))
