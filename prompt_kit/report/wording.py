"""The words of a report, in Chinese and in English."""

from __future__ import annotations

LANGUAGES = ("en", "zh")

_WORDS = {
    "title": ("How the model did", "模型评估报告"),
    "on": ("on {split}.txt", "数据：{split}.txt"),
    "lead": (
        "{right} of {total} texts are right: accuracy {accuracy}, 95 % interval {low} to {high}.",
        "{total} 条文本中答对 {right} 条：准确率 {accuracy}，95% 置信区间 {low} 至 {high}。",
    ),
    "dev_note": (
        "These are the texts that training chose its best model by, so the accuracy on new texts is likely lower.",
        "训练时按这些文本挑选了最好的模型，因此在新文本上的准确率通常会更低。",
    ),
    "contents": ("Contents", "目录"),
    "summary": ("In short", "概要"),
    "classes": ("Each label", "各类别"),
    "confusion": ("What is taken for what", "混淆矩阵"),
    "calibration": ("Can the probabilities be trusted?", "概率可信吗？"),
    "curves": ("How training went", "训练过程"),
    "cases": ("Wrong cases", "错误样例"),
    "accuracy": ("Accuracy", "准确率"),
    "interval": ("95 % interval (Wilson)", "95% 置信区间（Wilson）"),
    "macro_f1": ("Macro F1", "宏平均 F1"),
    "micro_f1": ("Micro F1", "微平均 F1"),
    "exact": ("All labels right", "全部标签正确的比例"),
    "level": ("Level {number} right", "第 {number} 级正确的比例"),
    "threshold": ("Threshold", "阈值"),
    "answers": ("Labels of texts", "文本与标签的组合数"),
    "calibration_note_of_sets": (
        "Of the labels that the model gives 80 %, 80 % should be there: bars on the dashed line. Mean distance: {ece}. "
        "Above the bars: how many of them.",
        "模型给出 80% 概率的标签，应有 80% 确实存在，即柱顶落在虚线上。平均偏差：{ece}。柱上方为组合数。",
    ),
    "ece": ("Expected calibration error", "期望校准误差（ECE）"),
    "wrong": ("Wrong", "答错"),
    "cut": ("Texts cut to fit", "被截断的文本"),
    "cut_note": (
        "The model does not read all of these texts: their end (or their start) is beyond its length.",
        "这些文本超出模型长度，超出的部分模型没有读到。",
    ),
    "label": ("Label", "类别"),
    "texts": ("Texts", "文本数"),
    "precision": ("Precision", "精确率"),
    "recall": ("Recall", "召回率"),
    "classes_note": (
        "Precision: of the texts given this label, the share that is right. Recall: of this label's texts, the share found.",
        "精确率：预测为该类别的文本中正确的比例。召回率：该类别的文本中被找出的比例。",
    ),
    "gold": ("Right label", "正确类别"),
    "predicted": ("Predicted", "预测类别"),
    "confusion_note": (
        "A row is a right label, a column what was predicted; the numbers of the columns are those of the rows. "
        "The diagonal is right.",
        "每行是正确类别，每列是预测类别，列号与行号对应；对角线为预测正确。",
    ),
    "too_many": (
        "{labels} labels are too many for a table here; confusion_matrix.png has it whole.",
        "共 {labels} 个类别，表格放不下，完整的矩阵见 confusion_matrix.png。",
    ),
    "most_confused": ("Mixed up most often", "最常混淆的类别"),
    "of": ("{count} of {texts}", "{texts} 条中 {count} 条"),
    "taken_for": ("{gold} taken for {predicted}", "{gold} 被预测为 {predicted}"),
    "calibration_note": (
        "Where the model says 80 %, 80 % should be right: bars on the dashed line. Mean distance: {ece}. "
        "Above the bars: how many texts.",
        "模型给出 80% 的概率时，应有 80% 答对，即柱顶落在虚线上。平均偏差：{ece}。柱上方为文本数。",
    ),
    "as_table": ("The same as a table", "以表格查看"),
    "probability": ("Probability", "概率"),
    "mean_probability": ("Mean probability", "平均概率"),
    "share_right": ("Share right", "答对的比例"),
    "step": ("Step", "步数"),
    "loss": ("Loss", "损失"),
    "train_loss": ("training loss", "训练损失"),
    "dev_loss": ("dev loss", "验证损失"),
    "dev_accuracy": ("dev accuracy", "验证准确率"),
    "no_cases": ("None: every text has its right label.", "没有：所有文本都答对了。"),
    "cases_note": (
        "The most confident first, {shown} of {total}; all of them are in {file}.",
        "按置信度从高到低列出 {total} 条中的 {shown} 条，完整列表见 {file}。",
    ),
    "marked_note": (
        "Marked characters speak for the wrong label: without them its log-odds fall by the number given.",
        "标出的字支持错误的预测：去掉该字，预测类别的对数几率会下降所标的数值。",
    ),
    "speaks": ("Speak for it", "支持该预测的字"),
    "colon": (": ", "："),
    "nearest": ("Nearest training texts", "最相近的训练文本"),
    "is": ("is", "正确"),
    "taken": ("predicted", "预测"),
    "model": ("Model", "模型"),
    "template": ("Template", "模板"),
    "mode": ("Mode", "方式"),
    "data": ("Data fingerprint", "数据指纹"),
    "seed": ("Seed", "随机种子"),
    "made_by": ("Made by prompt-kit {version}.", "由 prompt-kit {version} 生成。"),
    "codes": (
        "No font of this machine has all characters of the label names, so the PNG pictures show their numbers: the "
        "table of labels above says which is which.",
        "本机没有能显示全部类别名称的字体，PNG 图片中以编号代替类别名称，编号见上方的类别表。",
    ),
    "skip": ("To the wrong cases", "跳到错误样例"),
}


class Wording:
    """The words of one language: `words("lead", right=3, …)`."""

    def __init__(self, language: str):
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        text = _WORDS[key][self._column]
        return text.format(**values) if values else text
